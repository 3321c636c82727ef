"""all-MiniLM-L6-v2, a BERT sentence encoder: text -> a unit vector that tells its meaning."""
