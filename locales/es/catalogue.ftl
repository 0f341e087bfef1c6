# Páginas de placas y modelos.

## Qué ejecutar aquí

decision-intro = Los modelos se ordenan según la probabilidad de que alcancen { $pace } tokens/s, más o menos el ritmo al que lee una persona, con { $context } tokens de contexto. Cada modelo se muestra en la cuantización que menos calidad pierde entre las más seguras.
decision-room = RAM para un modelo:
decision-on = En la { $processor }
decision-nothing-fits = no cabe ningún modelo del catálogo
decision-answer = respuesta
decision-ram = RAM necesaria
decision-from = desde { $capacity }
decision-longest = contexto más largo
decision-help = Remedios para { $model }
decision-remedy = remedio
decision-figure = tipo
decision-gain = ganancia
decision-price = Precio: { $usd } dólares estadounidenses el { $date } ({ $source }). Esto da { $rate } tokens/s por cada 100 dólares con { $model }.
decision-order = Las respuestas se ordenan por su certeza y luego por el número de parámetros del modelo, reducido por la pérdida de su cuantización. Los archivos de datos no contienen otra medida de la capacidad de un modelo que su tamaño.

## Ancho de banda teórico de una placa

memory-system = memoria del sistema
memory-named = memoria { $name }
board-measured-as = Medida en esta ejecución como
board-no-host = Ningún equipo de esta ejecución es esta placa.
board-computed-from = calculado a partir de
board-others-quote = otras fuentes indican
board-sold-with = se vende con
board-left = disponible para un modelo, tamaño mayor
board-used-by = la usan
board-published = Mediciones publicadas
published-test = prueba
published-latency = latencia de una carga

## Modelos en una placa

board-models-title = En { $memory }, { $rate } según la teoría
board-models-note = Cotas superiores en tokens/s a profundidad 0, salvo donde se indica otra. Necesario: pesos, caché KV de { $context } tokens (f16) y búferes de cálculo.
board-models-left = Disponible: { $size } en el tamaño mayor ({ $source }).
board-models-assumed = Disponible: la capacidad menos { $size } para el sistema, que es una suposición.
board-models-by-bytes-tokens = tokens/s según los bytes leídos
board-models-by-file = según el archivo
board-models-by-bytes = según los bytes leídos
board-models-in = en { $capacity }
board-models-needed = necesario
board-models-too-large = demasiado grande

## Un modelo en cada placa y equipo

model-chart = Tokens por segundo de este modelo en cada placa y equipo
model-chart-text = Una fila por placa y equipo. Contorno discontinuo: la cota. Barra llena: medido. Barra rayada: previsto, con su intervalo.
model-bar-bound = cota { $bound }
model-bar-measured = medido { $rate } de { $bound }
model-bar-predicted = previsto de { $low } a { $high }, de { $bound }
model-caption = En { $quant }, con la caché KV vacía. Contorno discontinuo: cota según el ancho de banda, medido para un equipo y teórico para una placa. Lleno: medido. Rayado: previsto, el bigote es su intervalo. Las cifras están en la tabla.
model-longest = contexto más largo, tokens

## La forma de un modelo

model-parameters = parámetros
model-layers = capas
model-width = anchura del flujo residual
model-query-heads = cabezas de consulta
model-kv-heads = cabezas de clave y valor
model-head-elements = elementos de una cabeza
model-vocabulary = vocabulario
model-embeddings = tabla de embeddings
model-tied-embeddings = es también la matriz de salida: cada token lee la tabla entera
model-own-embeddings = separada: un token lee una fila de ella
model-context = entrenado para un contexto de
model-quantisations = Bytes de cada cuantización
model-bits = bits por peso
model-ram = RAM con { $n } tokens
model-quality-unknown = La pérdida se desconoce donde no se publicó ninguna medición.
model-kv-cache = Bytes de la caché KV
model-stored-as = guardada como
model-each-token = cada token
model-kv-note = Cada token más de contexto añade estos bytes a los que lee cada token siguiente.
decision-basis = { $label }: { $basis }
decision-room-from = { $room } ({ $label }: { $source })
