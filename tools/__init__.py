"""Tools of those who work on the repository; nothing that is shipped."""
