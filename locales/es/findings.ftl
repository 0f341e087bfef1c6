# Lo que halló una ejecución, en frases.

## Los tres hallazgos de una ejecución

finding-no-host = En esta ejecución no se midió ningún equipo: todo lo que sigue es teoría.
finding-all-emulated = Todos los equipos se ejecutaron en un emulador, donde los tiempos no significan nada: todo lo que sigue es teoría.
finding-no-usable-host = Ningún equipo dio una medición utilizable de su ancho de banda de memoria: todas las cotas que siguen son teóricas.
finding-share = { $host } alcanza el { $share } de su ancho de banda de memoria: lee { $read } de los { $theory } teóricos.
finding-read = { $host } lee { $read }.
finding-theory-unknown = Se desconoce su ancho de banda teórico, así que no se puede dar la proporción.
finding-disturbed = Esa medición está perturbada.
finding-reads = Se midieron { $n } equipos; el que más lee es { $host }, { $read }. Se desconoce su ancho de banda teórico, así que no se puede dar la proporción.
finding-share-and-most = { $host } alcanza el { $share } de su ancho de banda de memoria; de todos los equipos el que más lee es { $fastest }, { $read }.
finding-shares = Los equipos alcanzan entre el { $low } ({ $slow }) y el { $high } ({ $fast }) de su ancho de banda de memoria; el que más lee es { $fastest }, { $read }.
finding-interval = El intervalo del 95 % de esa lectura en { $n } rondas va de { $low } a { $high }.
finding-interval-and-bound = El intervalo del 95 % de esa lectura en { $n } rondas va de { $low } a { $high }, así que la cota va de { $bound_low } a { $bound_high }.
model-in-quant = { $model } en { $quant }
finding-bound = { $model } en { $quant } tiene ahí una cota de { $bound }.
finding-bound-disturbed = { $model } en { $quant } tiene ahí una cota de { $bound }, por una lectura perturbada.
finding-measured = Genera { $rate }, según lo medido.
finding-predicted = Se prevén { $rate } tokens/s.
finding-fits = Cabe en la RAM libre.
finding-fits-not = No cabe en la RAM libre.
finding-fits-unknown = No se sabe si cabe.
finding-bounds = { $model } en { $quant } tiene una cota de { $low } en { $slowest } y de { $high } en { $fastest }; cabe en la RAM libre de { $n_fitting } de { $n } equipos.
finding-by-theory = Solo según la teoría, la placa con la memoria más rápida de las { $n } del catálogo es { $board }: con { $bandwidth }, la cota de { $model } en { $quant } es de { $bound }.
finding-fits-there = Ahí cabe.
finding-fits-not-there = Ahí no cabe.
finding-limit-not-decoded = No se sabe si es la memoria o el kernel lo que limita la generación de tokens: ningún equipo decodificó un modelo.
finding-limit-disturbed = No se sabe si es la memoria o el kernel lo que limita la generación de tokens: todas las pruebas de decodificación están perturbadas.
finding-limit-known = Entre los límites conocidos, la memoria es el que limita la generación de tokens; el del kernel no se midió.
finding-limit-memory = { $n ->
    [one] La memoria, no el kernel, limita la generación de tokens en el único caso medido.
   *[other] La memoria, no el kernel, limita la generación de tokens en los { $n } casos medidos.
 }
finding-limit-kernel = { $n ->
    [one] El kernel, no la memoria, limita la generación de tokens en el único caso medido.
   *[other] El kernel, no la memoria, limita la generación de tokens en los { $n } casos medidos.
 }
finding-limit-some = El kernel, no la memoria, limita la generación de tokens en { $n } de { $n_all } casos medidos: { $where }.
finding-limit-unknown = En { $n } de ellos no se midió el límite del kernel.
finding-reaches = Genera el { $share } de los tokens que permiten sus límites medidos.
finding-best-reaches = El mejor, en { $host }, genera el { $share } de los tokens que permiten sus límites medidos.
finding-host-models = { $host } ({ $models })
finding-more-hosts = { $n ->
    [one] { $n } equipo más
   *[other] { $n } equipos más
 }
finding-more = { $n } más

## Un equipo en pocas frases, que siguen a su nombre

host-skipped = se omitió: { $reason }.
host-emulated = { $n ->
    [one] se ejecutó en un emulador: { $n } prueba dio el resultado correcto.
   *[other] se ejecutó en un emulador: { $n } pruebas dieron el resultado correcto.
 } Sus tiempos no significan nada y no se comparan.
host-emulated-wrong = { $n ->
    [one] se ejecutó en un emulador: { $n } resultado es correcto
   *[other] se ejecutó en un emulador: { $n } resultados son correctos
 } y { $n_wrong ->
    [one] { $n_wrong } es erróneo.
   *[other] { $n_wrong } son erróneos.
 } Sus tiempos no significan nada y no se comparan.
host-remark = Nota: { $reason }.
host-reads = lee { $rate }.
host-board-reads = ({ $board }) lee { $rate }.
host-read-before = Antes de eso leyó { $rate }.
read-with-threads = { $rate } con { $threads }
read-with-share = { $rate } con { $threads }: el { $share } de los { $theory } teóricos
host-theory-unknown = Se desconoce su ancho de banda teórico: { $why }.
host-fastest-reader = La lectura más rápida fue la de `{ $kernel }`.
host-no-read = no tiene ninguna medición utilizable de su ancho de banda de lectura: los motivos están en su página.
host-invalid-units = { $n ->
    [one] { $n } prueba es inválida y no se usa.
   *[other] { $n } pruebas son inválidas y no se usan.
 }
host-not-reached = no se pudo alcanzar
host-not-finished = no terminó
host-interrupted = fue interrumpido
host-trouble = { $what }: { $reason }.
host-trouble-in-stage = { $what } (etapa: { $stage }): { $reason }.
host-decodes = Al decodificar { $model } en { $quant } a profundidad { $depth } con { $threads }, genera { $rate }, el { $share } de lo que permiten sus límites medidos.
host-bound = { $model } tiene ahí una cota de { $bound }.
host-bound-and-theory = { $model } tiene ahí una cota de { $bound } ({ $theory } según la teoría).

## El resumen en Markdown

summary-title = Ejecución { $run }
summary-incomplete-run = ejecución incompleta: { $problem }
summary-theory-note = teoría de **{ $host }**: { $note }
summary-files = Informe: `{ $folder }/index.html`. Datos: `frames/units.parquet`, `frames/samples.parquet`.
summary-host = equipo
summary-status = estado
summary-best-read = mejor lectura, medida
summary-theory = teoría
summary-of-theory = de la teoría
