"""The tiny English world: one seeded generator of documents and chats, with no model in the loop."""
