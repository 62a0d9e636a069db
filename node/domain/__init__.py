"""The words of the product as types: standard library and numpy only, no input or output."""
