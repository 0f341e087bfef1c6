# Lo que imprimen las órdenes que planifican, miden y preparan equipos.

## run

run-interrupted = interrupción: memwall conserva los datos medidos; una segunda señal termina el programa de inmediato
run-host-error = equipo `{ $host }`: { $error }
run-host-left-out = el equipo `{ $host }` queda fuera: { $error }
run-task-ended = la tarea de un equipo terminó de forma inesperada: { $error }
run-waiting = en espera de su turno
run-host-done = { $n ->
    [one] { $n } prueba medida
   *[other] { $n } pruebas medidas
 }, { $n_skipped ->
    [one] { $n_skipped } omitida
   *[other] { $n_skipped } omitidas
 }
run-host-ended = { $status }: { $reason }
run-stage = etapa
run-empty-shard = { $n ->
    [one] el único equipo del plan no pertenece al fragmento { $shard }
   *[other] ninguno de los { $n } equipos del plan pertenece al fragmento { $shard }
 }
run-left-out = { $n ->
    [one] equipo `{ $host }`: { $n } prueba no cabía en el presupuesto de tiempo de { $budget } s: { $units }
   *[other] equipo `{ $host }`: { $n } pruebas no cabían en el presupuesto de tiempo de { $budget } s: { $units }
 }
# Una prueba de la que se omitieron algunas rondas.
run-rounds-left-out = { $unit } ({ $n } de { $n_all } rondas)
run-report = informe: { $path }

## plan

plan-rounds = rondas
plan-sampling = muestreo
plan-best-of = { $n ->
    [one] { $n } conjunto
   *[other] el mejor de { $n } conjuntos
 }
plan-all-units = todas las pruebas
# En la columna de las CPU.
plan-assumed-cpus = { $n ->
    [one] { $n } supuesta
   *[other] { $n } supuestas
 }
plan-external = equipo `{ $host }`: la prueba `{ $unit }` ejecuta el programa { $program }
plan-left-out = { $n ->
    [one] equipo `{ $host }`: { $n } prueba no cabe en el presupuesto de tiempo de { $budget } s: { $units }
   *[other] equipo `{ $host }`: { $n } pruebas no caben en el presupuesto de tiempo de { $budget } s: { $units }
 }
plan-setting = equipo `{ $host }`: durante la medición, { $path } toma el valor `{ $value }`
plan-power-mode = equipo `{ $host }`: durante la medición, el modo de potencia pasa a `{ $value }`
plan-cpu-governor = equipo `{ $host }`: durante la medición, el governor de la CPU pasa a `{ $value }`
plan-dram-governor = equipo `{ $host }`: durante la medición, el governor de la DRAM pasa a `{ $value }`
plan-service = equipo `{ $host }`: durante la medición se detiene el servicio { $service }
plan-other-processes = equipo `{ $host }`: durante la medición, todos los demás procesos quedan confinados a las CPU { $cpus }
plan-page-cache = equipo `{ $host }`: la caché de páginas se libera para la medición
plan-model = modelo `{ $model }`: se miden los tensores exactos de su archivo; los equipos emulados miden el modelo pequeño de la suite
plan-program = programa de la placa para { $target }: { $n } bytes, SHA-256 { $sha }
plan-host-time = equipo `{ $host }`: unos { $time }
plan-time = todos los equipos: unos { $seconds } s
plan-hash = plan { $hash }

## doctor

doctor-ok = memwall no encontró nada que pueda perturbar una medición

## restore

restore-nothing = no quedaba ningún ajuste cambiado

## build

build-target = destino
build-path = ruta

## add

add-facts = la máquina responde: { $model }, { $arch }, { $n } CPU, RAM { $ram }, { $os }; variantes de los kernels que puede ejecutar: { $variants }
add-no-model = máquina sin nombre
add-no-os = sistema operativo desconocido
add-board = placa `{ $board }`: { $reasons }
add-no-board = ninguna placa del catálogo coincide: { $reasons }. Indique la placa con `--board BOARD`; sin placa no hay teoría con la que comparar.
add-done = el equipo `{ $host }` está en `{ $path }`; mídalo con `cargo xtask run --board { $host }`
add-no-name = la máquina no indica ni su modelo ni su procesador
add-unknown-name = la máquina indica el nombre `{ $name }`, y ninguna placa del catálogo tiene ese nombre
add-name = la máquina indica el nombre `{ $name }`
add-ram = { $shown } de RAM corresponden al tamaño de { $size }
add-other-ram = el nombre coincide con `{ $board }`, pero { $shown } de RAM no corresponden a ninguno de sus tamaños: { $sizes }
add-more-cpus = el nombre coincide con `{ $board }`, pero la máquina tiene { $n } CPU y `{ $board }` tiene { $n_board }
add-cpus = están presentes { $n } de las { $n_board } CPU de la placa

## trust

trust-same-key = el equipo `{ $host }` sigue mostrando su clave fijada: { $fingerprint }
trust-old-key = la clave fijada del equipo `{ $host }` era { $kind } { $fingerprint }
trust-no-key = el equipo `{ $host }` no tiene ninguna clave fijada
trust-new-key = la clave fijada del equipo `{ $host }` es ahora { $kind } { $fingerprint }

## Progreso de un equipo

progress-same-machine = a la espera de otro equipo en la misma máquina
progress-again = { $cause }; nuevo intento
progress-connecting = conectando
progress-deploying = desplegando
progress-facts = pidiendo datos
progress-collecting = recogiendo los resultados que guardó la placa
progress-output = { $at }/{ $n } { $unit } terminó después de { $time }
progress-more-notes = las demás notas de este equipo se guardan y no se muestran
progress-two-groups = las muestras de { $unit } forman dos grupos, el { $share } de ellas { $faster } veces más rápidas que el resto: se ejecutó otro programa o cambió la frecuencia
progress-drift = las muestras de { $unit } derivan, la mitad más rápida { $faster } veces más rápida que la más lenta: se ejecutó otro programa o cambió la frecuencia

## Claves de los equipos

key-shown = `{ $host }` muestra la clave { $kind } { $fingerprint }
key-compare = compárela con la clave en la propia placa: ssh-keygen -lf /etc/ssh/ssh_host_{ $kind }_key.pub
key-question = ¿Es la misma? Escriba si para confiar en ella:
key-yes = si
build-adding-target = añadiendo el destino de Rust `{ $target }`
