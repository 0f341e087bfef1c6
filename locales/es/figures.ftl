# Cifras y listas, como las escribe este idioma.

language-name = Español
decimal-mark = ,
unknown = desconocido
millions = { $n } millones
billions = { $n } mil millones
list-end = { $head } y { $last }
quoted = { $text }
clauses = { $first }; { $rest }
sentences = { $first } { $rest }
