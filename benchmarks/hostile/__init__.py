"""Files as the world makes them: odd, damaged and made to do harm."""
