"""Membership inference attacks: numpy in, numpy out, one file an attack."""
