"""What people read: one table model and its renderings as terminal text, HTML, Markdown, JUnit and JSON.

May import: measure, results, judge.
Never here: judging figures, which is judge's task.
"""
