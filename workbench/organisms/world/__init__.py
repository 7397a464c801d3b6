"""The tiny English world: one seeded generator of documents and chats, no model in the loop."""
