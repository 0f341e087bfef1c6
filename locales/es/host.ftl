# La página de un equipo.

## Qué cuesta el tráfico ajeno

interference-intro = Otros programas usan el mismo bus. Aquí los núcleos que el modelo no usa leen la memoria a un ritmo creciente. De derecha a izquierda se ve lo que se gana al cerrar otros programas.
interference-title = { $model }, { $threads }, { $readers } a la vez
interference-chart = Tokens por segundo mientras otros núcleos leen, { $title }
interference-chart-text = Hacia la derecha, los otros núcleos leen más; hacia abajo, quedan menos tokens por segundo.
interference-axis = GB/s que leen a la vez los otros núcleos
interference-cost = Cada GB/s que leen otros núcleos cuesta { $cost }.
interference-no-cost = Lo que leen otros núcleos no cuesta nada que sobresalga de la dispersión de estas cifras.
interference-most = Como máximo leen { $traffic }; la velocidad fue entonces de { $loaded }, y de { $quiet } con el bus en reposo.
interference-most-of = Como máximo leen { $traffic } ({ $alone } cuando se ejecutan solos); la velocidad fue entonces de { $loaded }, y de { $quiet } con el bus en reposo.
interference-others-read = otros núcleos leen
interference-of-quiet = del bus en reposo

## De la memoria a los tokens

chain-intro = Cada paso solo puede perder velocidad, y cada pérdida tiene su propia causa. La velocidad de los núcleos se mide con el mismo formato de pesos en las cachés: en las mismas CPU, o en otras tantas donde falta esa medición. De varios números de hilos se muestra el más rápido; la tabla de pruebas los contiene todos.
chain-chart = Cadena de cotas de { $what }
chain-chart-text = De arriba abajo: ancho de banda teórico, mejor lectura medida, límite de cálculo de los núcleos, la cota resultante y la velocidad medida, todo en tokens por segundo de este modelo.
chain-axis = tokens/s de { $model }
chain-token = Un token mueve { $bytes }.
chain-kind = tipo de cifra
chain-cause = causa de la pérdida
chain-read = mejor lectura medida
chain-threads = lectura con { $threads }
chain-cores = límite de cálculo de los núcleos
chain-bound = cota de este modelo
chain-decoding = generación medida
chain-of-theory = { $share } de la teoría
chain-of-read = { $share } de la mejor lectura
chain-of-cores = { $share } del límite de cálculo
chain-of-bound = { $share } de la cota
chain-cause-read = memoria: controlador, DRAM, interconexión
chain-cause-threads = los hilos de esta prueba aprovechan el bus menos que otro conjunto de hilos
chain-cause-cores = núcleos y juego de instrucciones
chain-cause-bound = el menor valor entre la mejor lectura y el límite de cálculo
chain-cause-decoding = implementación: atención, normas, hilos en espera
chain-limited-disturbed = No se puede determinar el límite, porque esta prueba sufrió perturbaciones.
chain-limited-threads = Limita el número de hilos: { $n ->
    [one] { $n } hilo lee
   *[other] { $n } hilos leen
 } solo { $rate }.
chain-limited-set = Limita el conjunto de hilos: { $others ->
    [one] { $others } hilo lee
   *[other] { $others } hilos leen
 } más que { $threads }.
chain-limited-memory = Limita la memoria: entrega los pesos más despacio de lo que los núcleos los procesan.
chain-limited-kernel = Limita el kernel: los núcleos procesan los pesos más despacio de lo que la memoria los entrega.
chain-limited-memory-only = La memoria es el único límite medido; el límite del kernel no se midió.
chain-limited-unknown = Se desconoce el límite, porque no se midió el ancho de banda de lectura.
chain-others = Todas las demás
chain-others-model = modelo, velocidades en tokens/s
chain-others-cores = núcleos

## Todas las pruebas

units-none = Este equipo no tiene pruebas: no se pidió ninguna, o no llegó ningún resultado.
units-swept = { $n ->
    [one] { $n } prueba según el conjunto de trabajo
   *[other] { $n } pruebas según el conjunto de trabajo
 }
units-per-load = { $time } por carga
units-best = muestra más rápida
units-median = tiempo mediano, intervalo del 95 %
units-counted = bytes contados
units-kernel = { $kernel }, { $place }
units-shape = forma <span translate="no">{ $shape }</span>
units-shape-forced = forma forzada <span translate="no">{ $shape }</span>
units-extrapolated = extrapolado: { $held } de { $all } capas en memoria, usadas varias veces
units-counted-read-written = leídos + escritos
units-counted-weights = pesos
units-counted-token = pesos y caché KV
units-counted-loads = cargas
units-counted-arithmetic = aritmética
units-bimodal = Las muestras forman dos grupos: { $fast } en el { $share } de ellas, { $slow } en el resto. { $cause }
units-drifting = Las muestras derivan: { $fast } en la mitad más rápida, { $slow } en la más lenta. { $cause }
units-cause = Se ejecutó un programa externo o cambió la frecuencia.
units-cause-memory = Un programa externo usó la memoria o cambió la frecuencia.

## Estado del equipo

environment-gains = Efecto de preparar la placa
environment-gains-text = Cada prueba se midió con la placa tal como estaba, y otra vez tras los cambios de abajo. El intervalo del 95 % está entre paréntesis. Una diferencia se confirma solo donde cada estado se midió en varias rondas.
environment-as-found = tal como estaba
environment-prepared = preparada
environment-gain = ganancia
environment-meaning = significado
environment-settings = Ajustes cambiados y restaurados
environment-setting = ajuste
environment-before = antes
environment-after = después
environment-outcome = resultado
environment-changed-it = cambiado
environment-put-back = restaurado
environment-previous = Cambios desde la ejecución anterior
environment-changed = Estos datos del equipo difieren de los de la ejecución <bdi>{ $run }</bdi>. En este sentido, las cifras de las dos ejecuciones son de placas distintas.
environment-unchanged = El equipo no cambió desde la ejecución <bdi>{ $run }</bdi>: el kernel, el firmware, los governors, la memoria y el modo de potencia son los mismos.
environment-fact = dato
environment-then = entonces
environment-now = ahora
environment-notes = Notas del supervisor de la placa
environment-state = Estado del equipo: <code>{ $state }</code>. Las ejecuciones con la misma palabra usaron el mismo hardware, kernel, firmware y ajustes.

## Datos del equipo

facts-intro = Leído en el equipo al medirlo. Se omiten los datos que no se pudieron leer.
facts-none = Este equipo no comunicó ningún dato.
facts-stages = Tiempo empleado en cada etapa
facts-host-name = nombre del equipo
facts-board = placa, según su firmware
facts-processor = procesador
facts-architecture = arquitectura
facts-cpus = CPU
facts-highest-clock = hasta { $clock }
facts-governor = governor { $governor }
facts-caches = cachés
facts-cache = L{ $level } { $kind } { $size } (CPU { $cpus })
facts-cache-unified = unificada
facts-cache-data = de datos
facts-cache-instruction = de instrucciones
facts-instruction-sets = juegos de instrucciones
facts-variants = variantes de los kernels
facts-variant-missing = { $variant } no disponible
facts-variant-missing-why = { $variant } no disponible ({ $reason })
facts-os = sistema operativo
facts-linux = Linux
facts-virtual-machine = máquina virtual
facts-firmware = firmware
facts-power-mode = modo de potencia
facts-file-systems = sistemas de archivos
facts-ram = RAM
facts-swap = swap
facts-free = { $total }, { $free } libres
facts-no-swap = ninguno
facts-memory-devices = dispositivos de memoria
facts-dram-clock = frecuencia de la DRAM
facts-clock-of = { $clock } de { $max } como máximo
facts-dram-clock-now = { $clock } ({ $path })
facts-dram-clock-governor = { $clock }, governor { $governor } ({ $path })
facts-huge-pages = páginas enormes transparentes
facts-page = página
facts-load = carga en un minuto
facts-program = programa de la placa
facts-program-protocol = { $program }, protocolo { $protocol }
facts-program-sha256 = su SHA-256

## Kernels

kernels-emulated = Estas velocidades son las del emulador. No se comparan con ninguna otra.
kernels-memory = A través de la memoria
kernels-memory-chart = Kernels que recorren la memoria
kernels-memory-chart-text = Una fila por prueba: la mediana de sus muestras, con su intervalo del 95 %. Marca discontinua: su cota.
kernels-memory-text = Barra: mediana medida, con su intervalo del 95 %. Marca discontinua: cota (la teoría, o la mejor lectura medida para los kernels de matrices).
kernels-memory-emulated-text = Barra gris: mediana en el emulador, con su intervalo del 95 %.
kernels-caches = Desde las cachés
kernels-caches-chart = Kernels que se quedan en las cachés
kernels-caches-chart-text = Una fila por prueba: la mediana de sus muestras. Es la velocidad de los núcleos, que la memoria no acota.
kernels-caches-text = La velocidad de los núcleos; la memoria no la acota.
kernels-table = Lo mismo en una tabla, con enlaces a las pruebas
kernels-from = lee de
kernels-measured = medido, GB/s
kernels-bound = cota, GB/s
kernels-bar = { $kernel } · { $threads } · { $variant }
kernels-rate = { $rate }, { $share }

## Qué no funcionó

troubles-stage = en la etapa <strong>{ $stage }</strong>
troubles-stderr = Últimas líneas de su salida de errores
troubles-unreadable = { $n ->
    [one] { $n } línea ilegible
   *[other] { $n } líneas ilegibles
 } en su flujo
troubles-line = línea { $line }

## La aritmética y el roofline

roofline-intro = Una prueba bajo la línea ascendente espera a la memoria; una prueba bajo una línea horizontal espera a la aritmética. La generación de tokens está a la izquierda: cada byte se usa en unas pocas operaciones. La lectura de un prompt está a la derecha: cada peso se usa para muchos tokens.
roofline-key = Línea discontinua: límites medidos (ancho de banda de lectura, máximos de aritmética con todos los hilos). Puntos: medido. Ambos ejes son logarítmicos.
roofline-chart = Roofline
roofline-chart-text = Línea discontinua: el límite de la memoria, ascendente, y los límites de los núcleos, horizontales. Puntos: pruebas medidas de modelos de lenguaje.
roofline-axis = operaciones por byte movido
roofline-axis-rate = Gop/s (10⁹ operaciones por segundo)
roofline-peaks = Máximos de aritmética
roofline-models = Modelos de lenguaje bajo el roofline
roofline-intensity = operaciones por byte
roofline-share = del máximo más alto

## Latencia

latency-load = Una carga desde la memoria que espera a la carga anterior tarda { $time } ({ $size } de memoria, orden aleatorio).
latency-axis = ns por carga
latency-sizes-chart = Tiempo de una carga según el conjunto de trabajo
latency-sizes-chart-text = La dirección de cada carga sale de la carga anterior. Líneas verticales discontinuas: tamaños de las cachés.
latency-chains = Varias cargas a la vez
latency-chains-text = Un núcleo que espera una carga puede iniciar otras. Con más cadenas independientes recibe más líneas de 64 bytes en el mismo tiempo, hasta su propio límite.
latency-chains-per-thread = cadenas por hilo
latency-time = tiempo por carga
latency-loads = cargas
latency-lines = líneas recibidas
latency-rate = { $n } millones de cargas/s
latency-loaded = Mientras otros núcleos leen
latency-loaded-key = Línea continua: medido. Donde la curva se dobla hacia arriba, la memoria está saturada.
latency-loaded-chart = Tiempo de una carga mientras otros núcleos leen
latency-loaded-chart-text = Hacia la derecha, los otros núcleos leen más; hacia arriba, una carga tarda más.

## Al principio y al cabo de unos minutos

sustained-key = Línea continua: medido, un punto por muestra.
sustained-kernel-key = Según lo indicó el kernel al final de cada muestra.
sustained-speed-chart = Tokens por segundo a lo largo del tiempo, { $title }
sustained-clock-chart = Frecuencia de la CPU más lenta a lo largo del tiempo, { $title }
sustained-temperature-chart = Temperatura de la zona más caliente a lo largo del tiempo, { $title }
sustained-chart-text = De izquierda a derecha: segundos desde el inicio de la primera muestra.
sustained-time-axis = segundos desde el inicio de la primera muestra
sustained-clock-axis = MHz de la CPU más lenta
sustained-temperature-axis = °C de la zona más caliente
sustained-kept = { $first } al principio, { $later } en la segunda mitad de { $time }: se conserva el { $share }.
sustained-no-clock = Esta placa no indica su frecuencia.
sustained-no-temperature = Esta placa no indica su temperatura.
sustained-no-clock-no-temperature = Esta placa no indica ni su frecuencia ni su temperatura.
sustained-table = Lo mismo en una tabla, medianas de intervalos iguales
sustained-seconds = segundos
sustained-clock = CPU más lenta, MHz
sustained-temperature = zona más caliente, °C

## Hilos y clústeres

threads-intro = Más hilos no siempre son más rápidos. Unos pocos núcleos rápidos pueden saturar el bus, y los lentos pueden frenarlos. La tabla muestra el mejor conjunto de CPU medido.
threads-key = Medido, a través de la memoria. El anillo señala el mejor número de hilos.
threads-key-theory = Línea discontinua: teoría.
threads-chart = Ancho de banda según los hilos
threads-chart-text = Una línea por kernel que recorre la memoria, con las mejores CPU para cada número de hilos. Más hilos no siempre son más rápidos.
threads-theory = teoría { $rate }
threads-what = kernel o modelo
threads-best = mejor
threads-cpus = CPU
threads-most = con el máximo de hilos
threads-gain = mejor frente a máximo
threads-rate-with = { $rate } con { $n }
threads-same = igual

## Qué ahorra la caché KV

kv-cache-intro = Sin caché KV, cada token nuevo necesita las claves y los valores de toda la historia: la historia se lee otra vez como un prompt. Con la caché solo se calcula el token nuevo, y las claves y los valores de los demás tokens se leen de la memoria.
kv-cache-chart = Tiempo del siguiente token según su posición, { $title }
kv-cache-chart-text = Dos líneas: con la caché KV solo se calcula el token nuevo; sin ella se calcula otra vez toda la historia.
kv-cache-axis-position = posición del token, contada desde 1
kv-cache-axis-time = ms para el siguiente token
kv-cache-key = Línea continua: medianas medidas. Ambos ejes son logarítmicos.
kv-cache-cached = con caché
kv-cache-recomputed = recalculado
kv-cache-way = método
kv-cache-position = posición
kv-cache-time = tiempo del token
kv-cache-bytes = bytes movidos
kv-cache-operations = operaciones
kv-cache-from-first = La caché es más rápida desde la posición { $position }, que es la primera posición medida.
kv-cache-from = La caché es más rápida desde la posición { $position }, aproximadamente.
kv-cache-saving = En la posición { $position }, el token es { $factor } veces más rápido con la caché.
kv-cache-never = Recalcular nunca fue más lento en las posiciones medidas.

## Ancho de banda según el conjunto de trabajo

sizes-intro = Los mismos kernels con conjuntos de trabajo desde unos pocos KiB hasta mucho más de lo que cabe en las cachés. Una curva se dobla donde termina una caché. Su nivel a la derecha es el ancho de banda de la memoria; para un modelo solo cuenta ese nivel.
sizes-key = Línea continua: medianas medidas. Ambos ejes son logarítmicos. Vertical discontinua: ahí termina una caché de un núcleo.
sizes-key-theory = Horizontal discontinua: teoría de la memoria.
sizes-chart = Ancho de banda según el conjunto de trabajo
sizes-chart-text = Una línea por kernel y número de hilos. Líneas verticales discontinuas: tamaños de las cachés. El nivel de la derecha es el de la memoria.
sizes-axis = conjunto de trabajo, suma de todas las matrices y todos los hilos
sizes-chains = { $what }, { $n } cadenas
small-pages = { $what }, páginas pequeñas

## Qué aporta la cuantización

ladder-intro = Menos bits por peso significan menos bytes por token. Si solo la memoria limitara la velocidad, la velocidad crecería exactamente lo que se reducen los bytes. Donde crece menos, desempaquetar los pesos cuesta más de lo que ahorra la memoria.
ladder-key = Barra llena: medido. Marca discontinua: lo esperado según los bytes.
ladder-chart = Tokens por segundo según la cuantización, { $title }
ladder-chart-text = Una barra por cuantización, de muchos bytes a pocos. Marca discontinua: lo esperado solo según los bytes, en relación con la primera barra.
ladder-quantisation = cuantización
ladder-fewer-bytes = menos bytes
ladder-faster = más rápido
ladder-deviation = frente a lo esperado
ladder-extrapolated = extrapolado: no caben todas las capas
ladder-gain = De { $first } a { $last } un token mueve { $fewer } veces menos bytes y llega { $faster } veces más rápido.
ladder-as-expected = Cada paso es tan rápido como cabe esperar según sus bytes, con un margen del 5 %.
ladder-less = Más lentas de lo que cabe esperar según sus bytes, por más del 5 %: { $steps }. En ellas limitan la velocidad los núcleos, no la memoria.

## Muestras

samples-summary = Cada muestra como un punto
samples-key = A la derecha de la línea: más lento que la mediana. Las muestras que se salen del eje se dibujan en su borde.
samples-chart = Las muestras en torno a su mediana
samples-chart-text = Una fila por prueba, un punto por muestra. Los puntos a la derecha de la línea tardaron más que la mediana.
samples-axis = tiempo de muestra / mediana de la prueba
samples-fastest = la más rápida
samples-median = mediana
samples-slowest = la más lenta
samples-spread = dispersión (cuartiles entre mediana)
samples-with-spread = { $n ->
    [one] { $n } muestra
   *[other] { $n } muestras
 }, dispersión { $spread }

## Potencia y energía

power-intro = Potencia que indicaron los sensores de la placa, y la energía por token que resulta de ella. Un sensor de la alimentación de toda la placa lo cuenta todo. Un sensor de una parte, por ejemplo el encapsulado del procesador, deja fuera el resto: compare solo cifras del mismo sensor. Aquí no hay nada estimado.
power-sensor = sensor
power-power = potencia
power-measured = Todas las cifras las midió esta ejecución.

## Omitido por falta de tiempo

left-out-intro = El presupuesto de tiempo de este equipo era de { $budget }. Estas pruebas no cabían en él y no se midieron. Primero aparecen las más valiosas.
left-out-estimate = tiempo estimado, s

## Estado del equipo antes de medir

health-intro = El estado que el equipo indicó antes de las mediciones. <code>cargo xtask doctor</code> pregunta lo mismo sin medir.
health-weight = gravedad
health-found = hallazgo
health-remedy = remedio

## En resumen

summary-published = Mediciones publicadas de esta placa
environment-gain-of = { $gain } ({ $interval })
environment-gain-few = { $gain } (muestras insuficientes)
