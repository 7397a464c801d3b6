"""Pages that bench and game share: each asks the room that the reader is in."""
