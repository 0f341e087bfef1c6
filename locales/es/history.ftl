# Las páginas del historial.

## Equipos

last-valid-run = última ejecución válida
no-valid-run = ninguna válida
history-newest-run = la más reciente
history-valid-runs = ejecuciones válidas
history-last-confirmed = último cambio confirmado
history-hosts-note = Cada línea pequeña tiene su propia escala. Las cifras están en la página del equipo.
history-spark = Mejor lectura en { $runs }: de { $low } a { $high }
history-same-day = el día de esta ejecución
history-days-ago = hace { $days }
history-ago = hace { $days }. { $n ->
    [one] Desde entonces { $n } ejecución no dio datos válidos
   *[other] Desde entonces { $n } ejecuciones no dieron datos válidos
 }
history-nothing-measured = { $status }, no se midió nada
history-all-invalid = { $status }, pero ninguna cifra es válida: { $n ->
    [one] { $n } prueba es inválida
   *[other] { $n } pruebas son inválidas
 }

## En resumen

history-extent = El historial contiene { $runs }, del { $first } al { $last }, de { $hosts }. Los equipos emulados quedan fuera.
history-all-valid = Todos los equipos dieron datos válidos en la ejecución más reciente.
history-all-some-disturbed = Todos los equipos dieron datos en la ejecución más reciente, pero algunos fueron perturbados.
history-without-data = { $n ->
    [one] { $n } equipo no tiene datos válidos en la ejecución más reciente: { $hosts }.
   *[other] { $n } equipos no tienen datos válidos en la ejecución más reciente: { $hosts }.
 }
history-many-without-data = { $n ->
    [one] { $n } equipo no tiene datos válidos en la ejecución más reciente. La tabla de equipos lo nombra.
   *[other] { $n } equipos no tienen datos válidos en la ejecución más reciente. La tabla de equipos los nombra.
 }
history-changes = { $n ->
    [one] Hay { $n } cambio confirmado
   *[other] Hay { $n } cambios confirmados
 } en total, { $n_recent } de los últimos { $days } días.
history-power-of-one = Tres ejecuciones confirman un salto del { $step } en la única línea.
history-power = Tres ejecuciones confirman un salto del { $half } en la mitad de las { $n } líneas, y un salto del { $all } en todas ellas.
history-note = Una línea se interrumpe donde cambió el estado del equipo o el programa de la placa, porque las cifras de antes y de después son de cosas distintas. Una sola ejecución que destaca no es un cambio. Un cambio queda confirmado cuando coinciden tres ejecuciones.
history-disturbed = La mayoría de las pruebas de { $hosts } fueron perturbadas en la ejecución más reciente. Mida de nuevo antes de fiarse de un cambio.
history-many-disturbed = La mayoría de las pruebas de { $n } equipos fueron perturbadas en la ejecución más reciente. Mida de nuevo antes de fiarse de un cambio.
history-host-disturbed = { $n_all ->
    [one] { $n } de { $n_all } prueba fue perturbada
   *[other] { $n } de { $n_all } pruebas fueron perturbadas
 } en la ejecución más reciente. Mida de nuevo antes de fiarse de un cambio.
history-left-out = La ejecución `{ $name }` del historial se omite: { $error }. Si su directorio de ejecución aún existe, `cargo xtask history --add { $name }` la escribe de nuevo.

## Un equipo

history-visits = { $runs }, del { $first } al { $last }, { $n_valid } con datos válidos.
history-newest-valid = La ejecución más reciente dio datos válidos.
history-last-valid = La última ejecución válida es `{ $run }`, { $age }.
history-never-valid = Ninguna ejecución dio datos válidos.
history-host-in-run = Este equipo en esta ejecución
history-of-all-hosts = El historial de todos los equipos
history-link = Las líneas a lo largo de las ejecuciones, y los cambios
history-valid-of = { $n_all ->
    [one] { $n } de { $n_all } ejecución con este equipo dio datos válidos.
   *[other] { $n } de { $n_all } ejecuciones con este equipo dieron datos válidos.
 }
history-last-change = El último cambio confirmado:
history-none-confirmed = No hay ningún cambio confirmado.

## Cambios

history-from-to = de, a
history-ratio = cociente
history-other-changes = otros cambios al mismo tiempo
history-no-other-change = ninguno conocido
history-older-changes = { $n ->
    [one] Aquí se omite { $n } cambio anterior. Está en la página de su equipo.
   *[other] Aquí se omiten { $n } cambios anteriores. Están en las páginas de los equipos.
 }
history-no-change = Ninguna línea cambió más de lo que se dispersan sus ejecuciones.
history-passed = Ejecuciones que destacaron, con vuelta a la cifra anterior
history-changes-note = La primera cifra es la mediana de las ejecuciones válidas desde el cambio anterior. La segunda es la mediana de hasta siete ejecuciones válidas posteriores. Otro cambio al mismo tiempo puede ser la causa, pero no está demostrado.
history-change = { $date }, { $line }: de { $before } a { $after }, { $difference }
standing-confirmed = confirmado
standing-newest = { $n ->
    [one] solo la ejecución más reciente
   *[other] { $n } ejecuciones, aún sin confirmar
 }
standing-passed = { $n ->
    [one] solo { $n } ejecución
   *[other] solo { $n } ejecuciones
 }

## Causas

cause-board-program = programa de la placa
cause-program = { $program } (revisión { $revision })
cause-variant = variante
cause-measured = medido
cause-as-found = tal como estaba
cause-prepared = con la placa preparada
cause-state = estado del equipo
cause-none = ninguno

## Líneas y sus gráficos

line-name = { $name }
line-chains = { $line }, { $n ->
    [one] { $n } cadena
   *[other] { $n } cadenas
 }
line-small-pages = { $line }, páginas pequeñas
line-pages = { $line }, páginas { $pages }
line-suite = { $line } ({ $suite })
line-threads = { $line }, { $n ->
    [one] { $n } hilo
   *[other] { $n } hilos
 }
chart-streams = Ancho de banda de memoria
chart-products = Matrices por un vector, desde la memoria
chart-decode = Generación de tokens
chart-prefill = Lectura de prompts
chart-latency = Latencia
chart-caches = Kernels que se quedan en las cachés
chart-arithmetic = Aritmética
history-chart-part = { $title }, parte { $n } de { $n_all }
history-less-is-better = menos es mejor
history-charts-note = Medianas de las muestras de cada ejecución. Discontinuo: el entorno cambió y empiezan líneas nuevas. Hueco: perturbado o inválido. Un triángulo en el borde representa una cifra más allá de él. El eje no empieza necesariamente en 0. Cada kernel tiene una línea, con su mejor número de hilos.
history-as-table = Las cifras en una tabla
history-older-runs = { $n ->
    [one] { $n } ejecución anterior está solo en el gráfico
   *[other] { $n } ejecuciones anteriores están solo en el gráfico
 }
history-line-range = { $line }: de { $low } a { $high }, la última { $last } el { $date }.
history-line-empty = { $line }: ninguna cifra válida.
history-line-unusable = { $n ->
    [one] { $n } cifra de ella es inválida.
   *[other] { $n } cifras de ella son inválidas.
 }
history-environment-same = El entorno no cambió.
history-environment-changed = { $n ->
    [one] El entorno cambió { $n } vez.
   *[other] El entorno cambió { $n } veces.
 }

## Ejecuciones sin datos válidos

history-column-runs = ejecuciones
history-runs-of-day = { $date } ({ $runs })
history-runs-of-days = del { $first } al { $last } ({ $runs })
history-older-rows = { $n ->
    [one] Se omite { $n } fila anterior.
   *[other] Se omiten { $n } filas anteriores.
 }
