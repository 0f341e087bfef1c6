# Palabras que comparten varias páginas.

threads = { $n ->
    [one] { $n } hilo
   *[other] { $n } hilos
 }
readers = { $n ->
    [one] { $n } lector
   *[other] { $n } lectores
 }
measured = medido
suspect = dudoso
solid-measured-medians = Línea continua: medianas medidas.
axis-tokens-per-s = tokens/s
doubt = { $n_all ->
    [one] { $n } de { $n_all } cifra está perturbada
   *[other] { $n } de { $n_all } cifras están perturbadas
 }: el gráfico todavía no demuestra nada. Conviene medir otra vez.
