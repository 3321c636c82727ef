"""The areas of the catalogue. Each module has a function ``entries`` that yields its entries."""
