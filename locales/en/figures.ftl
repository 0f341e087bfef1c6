# Figures and lists, as this language writes them.

# Name of this language in itself.
language-name = English
decimal-mark = .
# In the place of a figure that is not known.
unknown = unknown
millions = { $n } million
billions = { $n } billion
# The last two parts of a list, `head` with commas.
list-end = { $head } and { $last }
quoted = { $text }
clauses = { $first }; { $rest }
sentences = { $first } { $rest }
