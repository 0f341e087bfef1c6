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
solid-measured-medians = Línea continua: medianas medidas.
axis-gb-per-s = GB/s (10⁹ bytes por segundo)
axis-tokens-per-s = tokens/s
doubt = { $n_all ->
    [one] { $n } de { $n_all } cifra está perturbada
   *[other] { $n } de { $n_all } cifras están perturbadas
 }: el gráfico todavía no demuestra nada. Conviene medir otra vez.

## Palabras de las tablas

best-read = mejor lectura
board = placa
bound = cota
bytes-per-token = bytes por token
cpus = CPU { $cpus }
figures-of-picture = Las cifras de este gráfico
interval = intervalo del 95 %
kernel = kernel
limit = límite
measured-over-bound = medido / cota
model = modelo
range = { $from } a { $to }
ratio = cociente
reason = motivo
samples = muestras
spread = dispersión
status = estado
step = paso
theoretical-bandwidth = ancho de banda teórico
theory = teoría
thread-count = hilos
unit = prueba
variant = variante
verdict = veredicto
working-set = conjunto de trabajo

## Dónde reside un conjunto de trabajo

residency-memory = memoria
residency-caches = cachés
residency-sweep = barrido

## Pruebas de un modelo

with-threads = { $what }, { $threads }
extrapolated-from = { $what }, extrapolado de { $held } de { $all } capas

## Qué limita una prueba

limit-disturbed = desconocido (perturbada)
limit-kernel = kernel (núcleos)
limit-memory-only = memoria (kernel no medido)
limit-set = otro conjunto de hilos lee más
limit-threads = demasiado pocos hilos

## Palabras que comparten varias secciones

disturbed = perturbado
invalid = inválido
theory-only = solo teoría
host = equipo
board-or-host = placa o equipo
processor = procesador
quantisation = cuantización
kind-of-figure = tipo
what-limits-it = límite
column-threads = hilos
measured-bound = medido / cota
emulated = emulado
best-measured-read = mejor lectura medida
column-units = pruebas
cause-and-remedy = causa y remedio
of-theory = { $share } de la teoría
days = { $n ->
    [one] { $n } día
   *[other] { $n } días
 }
runs = { $n ->
    [one] { $n } ejecución
   *[other] { $n } ejecuciones
 }
units = { $n ->
    [one] { $n } prueba
   *[other] { $n } pruebas
 }

no-reason-recorded = no se registró ningún motivo
bound-tokens = cota, tokens/s
expected-tokens = esperado, tokens/s

## Si un modelo cabe en la memoria

fit = cabe
fits = cabe
fits-from = cabe desde { $capacity }
does-not-fit = no cabe
fit-unknown = no se sabe si cabe
tokens = { $n ->
    [one] { $n } token
   *[other] { $n } tokens
 }
quality-loss = pérdida de calidad
quality-source = Pérdida de calidad: { $metric } de { $model } frente a F16, publicada en { $source }.
certainty = certeza
figure = cifra
imported = importado

## Qué bytes cuenta una cifra

counts-read = bytes leídos
counts-read-and-written = bytes leídos y escritos
counts-copied-once = bytes copiados, contados una vez
published = publicado
source = fuente
file = archivo
read-per-token = leídos por token
n-of-all = { $n } de { $n_all }
date = fecha
faster = más rápido
slower = más lento
hosts = { $n ->
    [one] { $n } equipo
   *[other] { $n } equipos
 }

## Unidades de cifras

unit-gb-per-s = GB/s
unit-tokens-per-s = tokens/s
unit-gop-per-s = Gop/s
unit-ns-per-load = ns por carga

## Ejes de los gráficos

chart-median = mediana
chart-same = igual
