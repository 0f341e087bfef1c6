# Lo que se deduce de las cifras: veredictos, motivos, límites, respuestas.

## Veredictos de las pruebas

verdict-emulated-reason = ejecutada en un emulador: se comprobó su resultado, sus tiempos no significan nada
verdict-no-sample = la prueba terminó sin ninguna muestra
verdict-skipped = omitida sin motivo registrado
verdict-failed = falló sin motivo registrado
verdict-truncated = el flujo terminó antes de la primera muestra de esta prueba
verdict-not-started = el flujo terminó antes de esta prueba
verdict-unchecked = su resultado no se comprobó: falta el registro de que la prueba estaba lista
verdict-wrong-output = el resultado del kernel difiere de la referencia: error { $error }, permitido { $tolerance }
verdict-above-bound = el { $share } de su cota es imposible
verdict-causes = causas probables, primero la más probable: { $causes }
cause-near-caches = el conjunto de trabajo no es mucho mayor que las cachés
cause-low-read = la medición de lectura fue perturbada, así que la cota es demasiado baja
cause-part-cached = parte del conjunto de trabajo se quedó en una caché
cause-higher-clock = la frecuencia era más alta que al medir el máximo
cause-dram-raised = la frecuencia de la DRAM subió después de leerla
cause-memory-entry = la memoria del catálogo (`mt-per-s`, `bus-bits`) no es la que lleva la placa
cause-counts-operations = el kernel cuenta operaciones que no ejecuta
cause-counts-bytes = el kernel cuenta bytes que no mueve
verdict-low-share = solo el { $share } de la teoría
verdict-spread = las muestras se dispersan un { $spread } alrededor de la mediana: se ejecutó otro programa o cambió la frecuencia
verdict-rounds-apart = sus rondas difieren en un { $apart }: la propia máquina cambia de una a otra
verdict-fits-caches = el conjunto de trabajo cabe en las cachés: puede que no sea la velocidad de la memoria
verdict-cut-off = el flujo terminó en medio de esta prueba: tiene menos muestras de las pedidas
verdict-ended-badly = la prueba terminó con un error: { $reason }
no-reason = sin motivo registrado
cause-no-facts = la placa no envió datos que mirar
cause-few-cpus = { $n } de { $n_all } CPU en uso, y pocos núcleos rara vez llenan el bus
cause-dram-low = la DRAM iba a { $clock }, por debajo de su frecuencia máxima
cause-governor = el governor de cpufreq es `{ $governor }`
cause-virtual-machine = una máquina virtual comparte el bus con otras
cause-load = se ejecutaron otros programas (carga { $load })
cause-channels = hay menos canales de memoria ocupados de los que tiene la placa
clock-too-coarse = una muestra duró 0 ns: el reloj de la placa es demasiado grueso para medirla
clock-impossible = sus muestras duraron juntas más que el tiempo que tuvo la prueba: el reloj de la placa o su programa están mal
counts-impossible = una muestra cuenta más bytes u operaciones de los que puede hacer cualquier máquina: el programa de la placa está mal
round-other-work = hizo un trabajo distinto del de la primera ronda
round-unused = la ronda { $round } no se usa: { $reason }
rounds-used = { $n } de { $n_all } rondas

## Perturbaciones

disturbed-throttled = la placa sufrió throttling: { $how }
throttled-counted = { $n ->
    [one] sus CPU contaron { $n } limitación por calor
   *[other] sus CPU contaron { $n } limitaciones por calor
 }
throttled-firmware = su firmware limitaba la frecuencia al terminar la prueba
throttled-firmware-part = su firmware limitó la frecuencia durante una parte del tiempo
throttled-kernel = su kernel de Linux limitaba las frecuencias por calor al terminar la prueba
remedy-throttled = refrigérela, o use la fuente de alimentación que indica el fabricante
disturbed-swapped = { $n ->
    [one] la placa usó swap durante la prueba ({ $n } página), así que parte de esto es la velocidad de su disco
   *[other] la placa usó swap durante la prueba ({ $n } páginas), así que parte de esto es la velocidad de su disco
 }
remedy-swapped = libere memoria o use un modelo más pequeño
disturbed-quota = { $n ->
    [one] la cuota de CPU de su contenedor o servicio la detuvo { $n } vez
   *[other] la cuota de CPU de su contenedor o servicio la detuvo { $n } veces
 }
remedy-quota = mida sin cuota, o con menos hilos
disturbed-load = otros programas ocuparon a la vez el { $share } de las CPU
remedy-load = deténgalos, o vea `prepare` en el archivo de la flota
disturbed-cpu-clock = la frecuencia de la CPU { $cpu } bajó a { $lowest }; su máxima es { $highest }
remedy-cpu-clock = ponga su governor en `performance` y mire su temperatura
disturbed-memory-clock = la memoria iba a { $lowest }; su frecuencia máxima es { $highest }
remedy-memory-clock = ponga `dram-governor: performance` bajo `prepare` en el archivo de la flota
disturbed-unprepared = la placa no se pudo preparar como dice el archivo de la flota: { $setting } { $problem }
disturbed-units = { $n_units ->
    [one] { $n } de { $n_units } prueba está perturbada
   *[other] { $n } de { $n_units } pruebas están perturbadas
 }: { $cause }. Resuélvalo y mida otra vez; hasta entonces, estas cifras no demuestran nada.
disturbed-on-host = En `{ $host }`, { $sentence }
disturbed-hosts = { $n } de { $n_all } equipos están perturbados: { $sentence }
bound-theory = ancho de banda teórico
bound-best-read = mejor lectura medida (`{ $unit }`)
bound-peak = velocidad máxima de cálculo medida (`{ $unit }`)
host-not-analysed = el equipo `{ $host }` no se pudo analizar; por favor, notifíquelo: { $failure }

## Comparaciones

pair-not-judged = no se juzga, porque el lado { $side } está perturbado: { $reason }
pair-runs-left-out = { $n ->
    [one] se omite { $n } ejecución perturbada
   *[other] se omiten { $n } ejecuciones perturbadas
 }: { $reason }
pair-external = un programa externo midió por sí mismo: no tiene muestras
pair-unusable = { $verdict }: { $reason }
pair-bad-partner = su pareja `{ $unit }` del lado { $side } no se puede usar
pair-no-partner = ninguna prueba del lado { $side } mide lo mismo
pair-of-runs = { $reason } ({ $n ->
    [one] ejecución
   *[other] ejecuciones
 } { $runs })
pair-differs = { $what }: { $a } en A, { $b } en B
pair-suspect = dudosa en { $side }: { $reason }
trait-cpus = CPU
trait-threads = hilos
trait-variant = variante
trait-shape = forma
trait-shape-choice = elección de la forma
shape-forced = forzada
shape-tried = la más rápida de las probadas
trait-working-set = conjunto de trabajo
trait-layers = capas en memoria
layers-held = { $n } de { $n_all }
layers-all = todas
trait-iteration-bytes = bytes de una iteración

## Las palabras de los veredictos

verdict-ok = correcto
verdict-suspect = dudoso
verdict-invalid = inválido
verdict-emulated = emulado
verdict-not-measured = no medido
pair-other-metric = A cuenta { $a } y B cuenta { $b }
pair-few-samples = muestras insuficientes para un intervalo: { $a } y { $b }; hacen falta al menos { $least } en cada lado
pair-few-runs = ejecuciones insuficientes para un intervalo: la midieron { $a } y { $b }; hacen falta al menos { $least } en cada lado
pair-no-rate = tiene muestras, pero se desconoce el trabajo de una iteración, así que no se deduce ninguna velocidad
pair-mixed-metrics = sus ejecuciones cuentan magnitudes distintas
pair-many-looked-at = su intervalo por sí solo mostraría una diferencia, pero se probaron { $n } parejas
compare-nothing = Ninguna prueba de un lado se puede comparar con una del otro.
compare-no-difference = { $n ->
    [one] No se aprecia diferencia en { $n } prueba.
   *[other] No se aprecia diferencia en ninguna de { $n } pruebas.
 }
compare-not-shown = En { $not_shown } de { $n } pruebas no se aprecia diferencia.
compare-differences = De { $n } pruebas, B es más rápido en { $faster } y más lento en { $slower }; en { $not_shown } no se aprecia diferencia.
compare-unconfirmed = { $n ->
    [one] { $n } prueba difiere
   *[other] { $n } pruebas difieren
 } entre estas dos ejecuciones; una ronda por lado no basta para confirmarlo.
compare-not-judged = { $n ->
    [one] { $n } prueba no se juzga porque está perturbada.
   *[other] { $n } pruebas no se juzgan porque están perturbadas.
 }
compare-basis-samples = Los intervalos del 95 % proceden de las muestras de una sola ejecución por lado. Las muestras de una ejecución comparten el estado de la placa, así que los intervalos no contienen cuánto difieren dos ejecuciones de la misma placa y no se confirma ninguna diferencia. Para incluirlo, mida ambos lados con `--rounds 3` o más, o varias veces con `--baseline` y `--against`.
compare-basis-rounds = Cada ronda cuenta como un valor por prueba. Los intervalos del 95 % son la t de Student sobre las rondas de cada ejecución, así que contienen cuánto difieren las rondas de una prueba, pero no lo que cambia a lo largo de los días. Las pruebas de una ronda tienen intervalos de sus muestras, y de ellas no se confirma ninguna diferencia.
compare-basis-runs = Cada ejecución cuenta como un valor por prueba. Los intervalos del 95 % son la t de Student sobre { $n_a } ejecuciones del lado A y { $n_b } del lado B, así que contienen cuánto difieren las ejecuciones de la misma placa.
compare-control = { $n ->
    [one] Se probó { $n } pareja.
   *[other] Se probaron { $n } parejas a la vez.
 } «Más rápido» y «más lento» se dan de modo que en promedio a lo sumo el { $share } sean erróneos (tasa de falsos descubrimientos según Benjamini y Hochberg), y solo cuando el intervalo excluye el 0. «No se aprecia diferencia» no significa que no la haya.
compare-subject = { $host }, ejecución { $run }
compare-subject-as-found = { $host }, sin preparar, ejecución { $run }
ns-per-load = { $n } ns por carga
n-samples = { $n ->
    [one] { $n } muestra
   *[other] { $n } muestras
 }
samples-of-rounds = { $samples } de { $n } rondas
samples-of-runs = { $samples } de { $n } ejecuciones
outcome-faster = más rápido
outcome-slower = más lento
outcome-not-shown = no se aprecia diferencia
outcome-not-confirmed = no confirmada
outcome-not-judged = no juzgada
times = { $n } ×

## Ancho de banda teórico de un equipo

theory-emulator = un emulador no tiene bus de memoria
theory-remedy = añada `memory:` (`mt-per-s`, `bus-bits`, `source`) o `board:` al equipo `{ $host }` en el archivo de la flota
theory-no-cpu-memory = el catálogo no tiene ninguna memoria de la CPU para la placa `{ $board }`
theory-unknown-board = la placa `{ $board }` no está en el catálogo de esta ejecución
theory-no-board-no-facts = el equipo no nombra ninguna placa y no envió datos
theory-firmware-note = el equipo no nombra ninguna placa y su firmware no indica la velocidad de la memoria ({ $note })
theory-firmware-silent = el equipo no nombra ninguna placa y su firmware no indica la velocidad de la memoria
theory-clock-moves = la frecuencia de la DRAM era { $clock } con la placa en reposo, y su governor `{ $governor }` la cambia con la carga; se usa la de la hoja de datos
theory-clock-not-held = la frecuencia de la DRAM era { $clock } con la placa en reposo, y ningún governor la fija; se usa la de la hoja de datos
theory-clock-observed = frecuencia de DRAM observada, { $clock }
theory-clock-highest = frecuencia de DRAM más alta que se puede elegir, { $clock }
theory-source-observed = { $clock } (`{ $path }`); ancho del bus: { $source }
theory-note-observed = usa la { $clock }, inferior a la de la hoja de datos, con la que serían { $rate }
theory-smbios = SMBIOS, { $devices } en { $channels }
devices = { $n ->
    [one] { $n } dispositivo
   *[other] { $n } dispositivos
 }
channels = { $n ->
    [one] { $n } canal
   *[other] { $n } canales
 }
theory-hypervisor = una máquina virtual ({ $name }): la tabla del firmware la escribió el hipervisor
theory-unnamed-slots = { $n ->
    [one] cuenta como canal propio un módulo cuya ranura no nombra canal
   *[other] cuenta como canal propio cada uno de los { $n } módulos cuyas ranuras no nombran canal
 }; con dos módulos por canal la cifra es el doble de la real; indique `memory:` en el archivo de la flota para ser exacto

## El estado de un equipo

check-problem = problema
check-note = nota
check-hypervisor = una máquina virtual ({ $name }): otras comparten el bus de memoria, así que las cifras derivan
check-governor = governor `{ $governor }` en las CPU { $cpus }: las muestras cortas pueden ejecutarse antes de que suba la frecuencia
check-dram-clock = la DRAM está fija en { $clock }; su frecuencia máxima es { $highest }
check-heat = la zona más caliente está a { $temperature } antes de medir
check-heat-remedy = déjela enfriarse o mejore su refrigeración
check-voltage-now = la tensión de alimentación es demasiado baja ahora
check-capped-now = la frecuencia está limitada ahora
check-throttled-now = el firmware aplica throttling ahora
check-soft-limit-now = se ha alcanzado ahora el límite blando de temperatura
check-voltage = la tensión de alimentación fue demasiado baja desde el arranque
check-capped = la frecuencia estuvo limitada desde el arranque
check-throttled = el firmware aplicó throttling desde el arranque
check-soft-limit = se alcanzó el límite blando de temperatura desde el arranque
check-flags-unknown = el firmware informa de throttling (indicadores { $flags })
check-flags = { $words } (indicadores { $flags })
check-flags-remedy = use la fuente que indica el fabricante de la placa, refrigere la placa y reiníciela
check-throttling-unknown = no se sabe si el firmware aplica throttling: no se pueden leer ni `get_throttled` ni el buzón `/dev/vcio`
check-throttling-unknown-remedy = use el kernel de Raspberry Pi OS, o permita al usuario leer `/dev/vcio` (grupo `video`)
check-quota = una cuota deja a un contenedor o servicio usar { $used } de { $n_cpus } CPU a la vez: los hilos que la exceden se detienen
check-quota-remedy = mida fuera del contenedor, o sin `--cpus`, `CPUQuota=` ni otro límite de CPU
check-load = se ejecutan otros programas: carga { $load } en el último minuto
check-load-remedy = detenga los programas que no hagan falta (`top` los muestra), o espere un minuto si ya han terminado
check-swap = hay { $used } de swap en uso: puede que lleguen páginas del disco
check-swap-remedy = libere memoria, después `sudo swapoff -a && sudo swapon -a`
check-ram-limit = un contenedor o servicio puede usar { $limit } de { $total } de RAM
check-ram-limit-remedy = mida fuera del contenedor, o sin su límite de memoria
check-ram = solo están disponibles { $available } de { $total } de RAM
check-ram-remedy = detenga servicios que ocupan memoria: caben modelos mayores y el bus queda libre
check-huge-pages = las páginas enormes transparentes están desactivadas: recorrer la memoria cuesta consultas a las tablas de páginas
host-analysis-failed = memwall no pudo analizar los datos de este equipo ({ $failure }); por favor, notifíquelo junto con su `stream.jsonl`

## Clases de cifras

label-theory = teoría
label-measured = medido
label-predicted = previsto
label-imported = importado
label-given = dado
label-emulated = emulado
machines = { $n ->
    [one] { $n } máquina
   *[other] { $n } máquinas
 }
figures = { $n ->
    [one] { $n } cifra
   *[other] { $n } cifras
 }

## Previsiones

class-kin = { $processor } { $family }
class-core-and-memory = { $kin } con { $core } y { $memory }
class-with = { $kin } con { $part }
class-family = { $kin } con { $family } de cualquier tipo
class-all = todas las { $kin }
class-own = proporciones de su propia mejor lectura
basis-own = { $n ->
    [one] intervalo del { $level } a partir de { $n } cifra de esta máquina ({ $class }), con la dispersión de otras máquinas
   *[other] intervalo del { $level } a partir de { $n } cifras de esta máquina ({ $class }), con la dispersión de otras máquinas
 }
basis-and-own = { $n ->
    [one] { $machines } y { $n } cifra del mismo chip y la misma memoria
   *[other] { $machines } y { $n } cifras del mismo chip y la misma memoria
 }
basis-of = intervalo del { $level } a partir de { $machines }: { $class }
basis-floor = no menos que { $name }, que tiene los mismos núcleos y menos ancho de banda
basis-measured = { $n ->
    [one] intervalo del 95 % de la mediana de { $n } muestra (`{ $unit }`)
   *[other] intervalo del 95 % de la mediana de { $n } muestras (`{ $unit }`)
 }
calibration = previstas una a una a partir de las demás, { $n_inside } de { $rows } en { $machines } quedan en su intervalo; es decir, el { $coverage } cuando se pretende el { $level } (intervalo del 95 %, de { $low } a { $high }); si se conocen otras cifras de la máquina, { $n_single_inside } de { $n_single }
no-prediction-class = sin previsión: se conocen velocidades de menos de { $n } máquinas con { $kin }, y las de otras familias no las pueden sustituir
no-prediction-bandwidth = sin previsión: un ancho de banda por sí solo no describe un procesador
no-prediction-host = sin previsión: mida una prueba de decodificación en este equipo o indique su memoria (`memory:` o `board:` en el archivo de la flota)

## De la teoría a los tokens

step-theory = ancho de banda teórico
step-given = ancho de banda dado
step-read = mejor lectura
step-kernel = límite de cálculo de los núcleos
step-bound = cota de este modelo
step-decode = decodificación
culprit-read = memoria: controlador, DRAM, interconexión
culprit-kernel = núcleos y juego de instrucciones
culprit-decode = implementación: atención, normas, hilos en espera
bound-from-read = bytes por token y la mejor lectura
bound-from-given = bytes por token y el ancho de banda dado
bound-from-theory = bytes por token y la teoría
bound-from-cores = bytes por token y los núcleos
limit-cores = el kernel (los núcleos)
limit-memory = la memoria
limit-memory-known = la memoria, entre los límites conocidos
limit-memory-given = la memoria, según lo dado
limit-memory-theory = la memoria, en teoría
source-cached-products = kernels de matriz por vector con matrices en las cachés
source-given = dado en la línea de órdenes
source-theory = { $formula } ({ $source })
source-host-unit = equipo { $host }, `{ $unit }`
source-free-ram = RAM libre en el equipo { $host } antes de medir
source-assumed-system = la capacidad menos { $system } para el sistema (supuesto)
source-quoted = { $rate } ({ $source })
source-file = lista de tensores del archivo
source-architecture = lista de tensores de la arquitectura ({ $source })
source-less-embedding = { $tensors }, menos una tabla de embeddings propia
source-kv = 2 x capas x cabezas kv x dimensión de la cabeza, { $format } ({ $source })
source-kv-window = 2 x capas x cabezas kv x dimensión de la cabeza, { $format }; en { $n_layers } de { $n_all } capas un token lee solo las de los últimos { $n_tokens } tokens ({ $source })
fits-with = cabe: necesita { $needed } de { $usable }
fits-not = no cabe: necesita { $needed } de { $usable }
remark-as-given = según lo dado
remark-as-quoted = según se cita ({ $source })
remark-rounded = { $stated }, { $how }, es { $formula } = { $computed }, redondeado
remark-differs = { $stated }, { $how }, es { $difference } frente a { $formula } = { $computed }: haría falta { $needed } MT/s en este bus
remark-given-bytes = { $bytes }, según lo dado, es { $difference } frente a los { $model_bytes } de los tensores de { $model } en { $quant }, de los que un token lee { $read }; un archivo tiene además algunos megabytes de vocabulario y nombres, y puede guardar otros tipos
remark-embedding = un token lee { $read } de los { $file }: lee una fila de la tabla de embeddings y todo lo demás
bounds-board = placa
bounds-model = modelo
bounds-bandwidth = ancho de banda
bounds-file = archivo
bounds-read = lectura por token
bounds-kv = caché KV
bounds-kv-per-token = { $bytes } por token de contexto
bounds-of-file = cota (archivo)
bounds-of-read = cota (lectura, profundidad { $depth })
bounds-in = en { $capacity }
bounds-sources = fuentes

## Qué modelo ejecutar y qué ayudaría

certainty-sure = seguro
certainty-very-likely = muy probable ({ $share })
certainty-likely = probable
certainty-unlikely = improbable
certainty-no = no
remedy-quality = perplejidad { $after } sobre F16 en vez de { $before } ({ $model }: { $source })
remedy-quality-unknown = el catálogo no publica su pérdida de calidad
remedy-quantise = cuantizar en { $next } en vez de { $now }
remedy-quantise-buys = { $speed } tokens/s si solo cuentan los bytes, { $freed } menos de RAM; { $quality }
remedy-cache-buys = { $speed } tokens/s al final del contexto si solo cuentan los bytes, { $freed } menos de RAM
remedy-kv-format = guardar claves y valores en { $next } en vez de { $now }
remedy-context = reducir el contexto a la mitad, { $n } tokens
remedy-services = detener servicios y fijar las frecuencias
remedy-unknown-board = no se sabe por hojas de datos: mida un equipo con esta placa con `--compare-environment`
remedy-unknown-host = no se sabe: añada `prepare` al equipo y mida con `--compare-environment`
remedy-prepare = preparar la placa como dice el archivo de la flota
remedy-prepare-buys = { $n ->
    [one] { $speed } tokens/s (mediana de { $n } prueba de { $n_all } que fue claramente más rápida después)
   *[other] { $speed } tokens/s (mediana de { $n } pruebas de { $n_all } que fueron claramente más rápidas después)
 }
remedy-bus = mantener otros programas lejos del bus de memoria
remedy-bus-buys = { $speed } por cada GB/s que otros programas dejen de leer
remedy-ram = liberar { $bytes } de RAM
remedy-ram-buys = { $model } en { $quant } cabría, y probablemente sea lo bastante rápido
remedy-board = usar la placa { $board } ({ $processor })
remedy-board-rate = { $rate } tokens/s ({ $label })
price = { $usd } dólares estadounidenses el { $date }
price-unknown = el catálogo no da el precio

## Potencia y resultados importados

power-readings = sensor, mientras se tomaban muestras
power-counter = contador de energía, con preparación y comprobación incluidas
import-small-block = sin comparar: un bloque tan pequeño puede caber en una caché
import-gpu = intervino un procesador gráfico, y su memoria no se compara
import-some-experts = un token lee solo algunos de los expertos
import-part = un token lee solo una parte del modelo
import-likely-experts = probablemente una mezcla de expertos, de la que un token lee una parte: su arquitectura no está en el catálogo

## Datos que pueden diferir entre equipos

fact-firmware-board = placa, según su firmware
fact-processor = procesador
fact-cpu-clocks = las CPU y sus frecuencias máximas
fact-governors = governors de las CPU
fact-instruction-sets = juegos de instrucciones
fact-os = sistema operativo
fact-firmware = firmware
fact-virtual-machine = máquina virtual
fact-power-mode = modo de potencia
fact-highest-dram-clock = frecuencia máxima de la DRAM
fact-dram-governor = governor de la DRAM
fact-huge-pages = páginas enormes transparentes
fact-file-systems = sistemas de archivos
fact-dram-clock = frecuencia de la DRAM
fact-board-program = programa de la placa (inicio de su SHA-256)
fact-board = placa del catálogo
fact-forced-variant = variante forzada del juego de instrucciones
fact-forced-shape = forma forzada
fact-compiler = compilador
fact-transport = transporte
fact-units-throttled = pruebas con throttling
fact-units-other-load = pruebas perturbadas por otros programas
fact-units-slow-clocks = pruebas con frecuencias bajas
fact-units-suspect = pruebas dudosas
fact-units-invalid = pruebas inválidas
fact-load = carga antes de medir

## Cómo terminaron pruebas y equipos

status-ok = correcto
status-skipped = omitido
status-failed = fallido
status-truncated = cortado
status-not-started = no iniciado
status-unreachable = inaccesible
status-interrupted = interrumpido
stage-plan = plan
stage-connect = conexión
stage-probe = reconocimiento
stage-deploy = despliegue
stage-facts = datos
stage-measure = medición
stage-collect = recogida
stage-restore = restauración

## Nombres

board-and-memory = { $board }, { $memory }
