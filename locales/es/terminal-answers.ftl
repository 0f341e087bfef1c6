# Lo que imprimen las órdenes que responden a preguntas: bounds, recommend, compare, history, list, model y las de ejecuciones.

## Varias órdenes

disturbed-because = perturbado: { $reason }
report-file = informe: { $file }

## Las ejecuciones en las que se basan las respuestas

evidence-unreadable = La ejecución `{ $run }` no se puede leer y no se usa: { $error }
evidence-measured = medido: equipo { $host } en la ejecución { $run }, { $age }
evidence-measured-before = medido: equipo { $host } en la ejecución { $run }, { $age }; { $n ->
    [one] { $n } ejecución más reciente fue perturbada y no se usa
   *[other] { $n } ejecuciones más recientes fueron perturbadas y no se usan
 }
evidence-not-finished = no terminada
evidence-minutes-ago = { $n ->
    [one] hace { $n } minuto
   *[other] hace { $n } minutos
 }
evidence-hours-ago = { $n ->
    [one] hace { $n } hora
   *[other] hace { $n } horas
 }

## bounds

bounds-assumed = Las cotas son las de una sola secuencia, con un token por cada pasada por los pesos y con atención a todo su contexto. Varios tokens en una pasada (decodificación especulativa, predicción de varios tokens) pueden superarlas.
bounds-work = parámetros: { $parameters }; operaciones: { $operations } para un token a profundidad { $depth }, { $of_prompt } para un prompt de 512 tokens
bounds-chain = cadena de cotas de { $model } { $quant } en { $processor }
bounds-share = proporción
bounds-share-of = { $share } de: { $step }
bounds-limit = límite determinante: { $limit }
bounds-on = en { $processor }: { $expected }
bounds-expected = { $rate } tokens/s, { $kind } ({ $basis })
bounds-needs = Necesita { $flash } con flash attention (lo predeterminado) y { $plain } sin ella.
bounds-room-unknown = { $need } La RAM disponible es desconocida.
bounds-room = Disponible: { $size } ({ $kind }: { $source }).
bounds-fits = Cabe con { $tokens } de contexto. { $need } { $room } Contexto más largo que cabe: { $longest } con flash attention, { $longest_plain } sin ella.
bounds-fits-not = Con { $tokens } de contexto no cabe: faltan { $missing }. { $need } { $room } { $instead }
bounds-fits-in-quant = Cabe con { $quant }.
bounds-fits-in-none = No cabe ninguna cuantización habitual.
bounds-no-context = ninguno
bounds-quant = cuant.
bounds-depth = profundidad
bounds-read-rate = lectura, GB/s
bounds-read-figure = { $rate } { $kind }
bounds-with-quant = con { $quant }
bounds-columns = Cota y tokens/s: tokens por segundo. Las cifras previstas son intervalos del { $level }; `bounds` de una placa, un modelo y una cuantización muestra en qué se basa cada una. Contexto más largo: con flash attention.
bounds-ratio = { $board } frente a { $against }: ancho de banda { $ratio } x, { $own } frente a { $of_first }
bounds-ratio-and-bound = { $board } frente a { $against }: ancho de banda { $ratio } x, { $own } frente a { $of_first }; cota { $bound_ratio } x: { $bound } frente a { $bound_of_first } para { $what }
bounds-no-theory = { $board }: su ancho de banda teórico es desconocido
bounds-formula = { $board }: { $bandwidth } / { $bytes } por token = { $bound } como máximo
bounds-formula-predicted = { $board }: { $bandwidth } / { $bytes } por token = { $bound } como máximo; previsto de { $low } a { $high }

## recommend

recommend-asked = { $board } ({ $processor }), al menos { $rate } con { $tokens } de contexto
recommend-room = { $size } de RAM para un modelo ({ $kind }: { $source })
recommend-room-unknown = RAM desconocida
recommend-nothing-fits = No cabe ningún modelo del catálogo. Admita un `--context` más corto, un `--kv-format` más pequeño o menos `--ram-left`.
recommend-margin = margen
recommend-from = cabe desde
recommend-here = aquí
recommend-remedies = Remedios para { $model } { $quant }:
recommend-reading = Cómo leer esto
recommend-predicted = previsto: { $basis }
recommend-check = comprobación de estos intervalos: { $check }
recommend-order = Las respuestas se ordenan por su certeza y luego por el número de parámetros, reducido por la pérdida de la cuantización (Kaplan et al. 2020). La memoria se cuenta con flash attention, que es lo predeterminado.
recommend-too-short = omitido: { $model } se entrenó para { $tokens } de contexto
recommend-left-out = omitido: { $reason }

## compare

compare-regressions = se confirma que es más lento por más del { $percent }: { $units }
compare-no-judgement-rounds = Sin juzgar: { $units }. Mida ambos lados con `--rounds 3` o más.
compare-no-judgement = Sin juzgar: { $units }. Mida otra vez con la placa inactiva.
compare-other-differences = Otras diferencias:
compare-notes = Notas:
compare-all-units = todas las pruebas
compare-units-left-out = Sin comparar:
compare-both = ambos lados

## history

history-warning = aviso: { $problem }
history-no-hosts = La ejecución `{ $run }` no tiene equipos y no se añade al historial.
history-added = ejecución `{ $run }` añadida
history-empty = El historial `{ $folder }` está vacío. Cada ejecución se añade sola; `cargo xtask history --all` añade las anteriores.
history-span = { $runs } en { $days }, de { $first } a { $last }
history-column-valid = válidas
history-column-days = días antes de la más reciente
history-never = nunca
history-folder = historial: { $folder }

## check

check-sound = El inventario es correcto: { $boards }, { $models }, { $suites }, { $hosts }.
check-boards = { $n ->
    [one] { $n } placa
   *[other] { $n } placas
 }
check-models = { $n ->
    [one] { $n } modelo
   *[other] { $n } modelos
 }
check-suites = { $n ->
    [one] { $n } suite
   *[other] { $n } suites
 }

## list

list-name = nombre
list-kind = tipo
list-rate = velocidad
list-transfers = { $rate } MT/s x { $bits } bits
list-tags = etiquetas
list-what = qué
list-runs-here = funciona en esta máquina

## export, import y merge

export-left-out = { $n ->
    [one] omitida: { $n } prueba
   *[other] omitidas: { $n } pruebas
 }
import-file = { $file }: { $figures } de { $tool }
import-known = { $n ->
    [one] { $n } de estos archivos ya estaba en la ejecución.
   *[other] { $n } de estos archivos ya estaban en la ejecución.
 }
merge-planned = planificadas
merge-column-missing = ausentes
merge-failed = equipo `{ $host }`, fallidas: { $units }
merge-missing = equipo `{ $host }`, ausentes: { $units }
merge-missing-shard = Falta el fragmento { $shard }. Sus equipos: { $hosts }
merge-missing-shard-empty = Falta el fragmento { $shard }. No tiene equipos.

## model

model-same-architecture = El modelo `{ $model }` del catálogo tiene la misma arquitectura.
model-left-out = { $n ->
    [one] omitido: { $n } vector
   *[other] omitidos: { $n } vectores
 } con { $bytes } en total, por ejemplo `{ $first }`; el catálogo no los modela
model-added = El modelo `{ $model }` está en `{ $file }`. Tiene la arquitectura del archivo y listas calculadas de tensores para cada cuantización.
model-bytes = { $n ->
    [one] { $n } byte
   *[other] { $n } bytes
 }
model-quantity = magnitud
model-value = valor
model-architecture = arquitectura
model-gguf-version = versión de GGUF
model-feed-forward = anchura de la parte feed-forward
model-experts = expertos
model-experts-used = { $n }, de los que un token usa { $used }
model-files = archivos
model-file-bytes = bytes del archivo
model-tensor-bytes = bytes de los tensores
model-kv-per-token = caché KV por token, f16
model-sliding-window = ventana deslizante
model-window-layers = { $n ->
    [one] { $n } capa lee solo los últimos { $tokens }
   *[other] { $n } capas leen solo los últimos { $tokens }
 }
model-window-some-layers = algunas capas leen solo los últimos { $tokens }
model-tensor = tensor
model-tensors = tensores
model-format = formato
model-column-bytes = bytes
model-not-describable = El catálogo no puede describir este modelo:
model-not-in-catalogue = Ningún modelo del catálogo tiene esta arquitectura; `cargo xtask model add` la añade.
model-in-catalogue = misma arquitectura en el catálogo: { $models }
model-nearest-list = lista calculada más cercana: { $quant }, { $bytes }, de los que un token lee { $read }
model-against-list = En comparación con esa lista, los tensores del archivo tienen { $more } bytes, y un token lee { $more_read } bytes.
model-not-in-list = fuera de la lista calculada: { $n ->
    [one] { $n } vector
   *[other] { $n } vectores
 } con { $bytes }: { $names }
model-as-computed = Cada tensor de la lista tiene el formato calculado.
model-computed = calculado
model-more-bytes = bytes de más
