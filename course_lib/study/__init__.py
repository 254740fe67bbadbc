"""To read, hear and remember: overviews, dialogues, cards, quizzes, memory aids, the glossary, and your progress."""
