"""all-MiniLM-L6-v2, a BERT sentence encoder: it maps a text to a unit vector of its meaning."""
