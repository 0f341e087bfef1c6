# La primera página de un informe.

## Ancho de banda medido y teórico

overview-chart = Ancho de banda de lectura medido dentro del teórico
overview-chart-text = Una fila por equipo y por placa sin medición. Contorno discontinuo: teoría. Barra llena: medido.
overview-bar = { $read } de { $theory }, { $share }
overview-bar-unknown = { $read }, teoría desconocida
overview-bar-theory = teoría { $theory }
overview-others-quote = otras fuentes indican { $rates }
overview-caption = Lleno: mejor lectura medida en la CPU. Contorno discontinuo: teoría. Las placas sin medición tienen solo teoría.
overview-as-table = Lo mismo en una tabla, con las fuentes
overview-kind = tipo de cifra
overview-measured-read = lectura medida
overview-measured-theory = medido / teoría
overview-measured-by = medido con
overview-theory-from = fuente de la teoría
overview-nothing = Esta ejecución no tiene ni mediciones ni un catálogo de placas.

## Tokens por segundo medidos

inference-intro = Los tokens se generan uno tras otro. <code>@ d512</code> significa que antes había 512 tokens en la caché KV. La cota es el menor de dos límites medidos del mismo equipo: el ancho de banda de su memoria y el límite de cálculo de sus núcleos.
inference-chart-text = Una fila por prueba de generación. Barra llena: medido. Marca discontinua: cota según los límites medidos del equipo.
inference-caption = Lleno: medido. Marca discontinua: cota según los límites medidos.
inference-more = Hay { $n } más en la tabla.

## Todos los equipos

hosts-status = estado
hosts-no-board = ninguna
hosts-stage = etapa: { $stage }
hosts-stderr = últimas líneas de su salida de errores
hosts-none = Esta ejecución no tiene equipos.
hosts-this-run = esta ejecución
hosts-ago = hace { $days } y { $runs }
hosts-garbage-lines = { $n ->
    [one] { $n } línea del flujo no es un mensaje
   *[other] { $n } líneas del flujo no son mensajes
 }
hosts-units-ok = { $n ->
    [one] { $n } correcta
   *[other] { $n } correctas
 }
hosts-units-suspect = { $n ->
    [one] { $n } dudosa
   *[other] { $n } dudosas
 }
hosts-units-invalid = { $n ->
    [one] { $n } inválida
   *[other] { $n } inválidas
 }
hosts-units-emulated = { $n ->
    [one] { $n } emulada
   *[other] { $n } emuladas
 }
hosts-units-not-measured = { $n ->
    [one] { $n } no medida
   *[other] { $n } no medidas
 }

## Fallos

failed-at-stage = en la etapa <code>{ $stage }</code>
failed-units = { $n } ({ $units })
failed-more-units = { $n } más
failed-more-causes = { $n ->
    [one] Hay { $n } causa más en la página del equipo.
   *[other] Hay { $n } causas más en la página del equipo.
 }
failed-failed = fallida
failed-invalid = inválida
failed-cut-off = cortada
failed-not-started = sin empezar

## Qué modelo en qué placa

choose-intro = Tokens generados por segundo con la caché KV vacía. La cota es el límite que fija el ancho de banda: medido para un equipo de esta ejecución, teórico para una placa. <i>Medido</i> es lo que midió esta ejecución. <i>Previsto</i> es el intervalo en el que se espera el { $level } de las mediciones nuevas, según mediciones en máquinas parecidas. Un modelo cabe cuando sus pesos, la caché KV de { $context } tokens y los búferes de cálculo caben en la RAM libre de un equipo, o en la que deja el tamaño mayor de una placa. Una persona lee unos { $pace } tokens/s.
choose-short = De cada modelo, la tabla tiene la mayor cuantización que cabe y alcanza { $pace } tokens/s o, si no la hay, la más rápida que cabe. Las { $n } filas están todas en las páginas de los modelos y en <a href="{ $href }">decisions.csv</a>.
choose-check = Comprobación de las previsiones:

## Qué ejecutar

answers-intro = Para cada placa y equipo, la tabla tiene el mejor modelo entre los que más probablemente alcanzan { $pace } tokens/s, más o menos el ritmo al que lee una persona, con { $context } tokens de contexto. Cada nombre lleva a los motivos, las alternativas y los remedios.
answers-bandwidth = ancho de banda
answers-too-slow = ningún modelo alcanza ese ritmo
answers-nothing-fits = no cabe ningún modelo

## En resumen

summary-incomplete = ejecución incompleta
summary-hosts-ok = equipos completados
summary-measured = con ancho de banda medido
summary-units-ok = pruebas correctas
summary-units-suspect = pruebas dudosas
summary-units-invalid = pruebas inválidas
summary-samples = muestras

## Cómo leer este informe

method-intro = Un modelo de lenguaje lee todos sus pesos de la memoria para cada token que genera. Por eso la velocidad es como máximo <strong>ancho de banda / bytes leídos por token</strong>, por rápido que calcule el procesador. Este informe muestra qué parte del ancho de banda teórico entrega cada placa y la velocidad de los modelos que resulta de ello.
method-theory = Transferencias por segundo × ancho del bus / 8, según la fuente que se indica al lado. Discontinuo.
method-measured = Mediana de las muestras en ese equipo. El resultado del kernel se comparó con una referencia. Lleno.
method-emulated = Un emulador ejecutó el programa para comprobar su resultado. Sus tiempos no significan nada. Gris, y nunca en una misma serie con mediciones.
method-ok = Nada indica un error en la cifra.
method-suspect = Por debajo del { $efficiency } de la teoría, o muestras con una dispersión de más del { $spread } (rango intercuartílico / mediana), o una prueba cortada. El motivo está al lado.
method-invalid = Por encima de su cota, o un resultado erróneo. Se muestra como se midió, nunca recortada, y no se usa para nada más. Hueco.
method-bytes = bytes
method-bytes-text = Los kernels de ancho de banda cuentan los bytes leídos más los escritos. No se cuentan los bytes que una caché trae antes de una escritura. Los kernels de matrices cuentan los bytes de los pesos. Las pruebas de generación cuentan los bytes de los pesos y de la caché KV.
method-limit = límite de un modelo
method-limit-text = La memoria, cuando entrega los pesos más despacio de lo que los núcleos los procesan desde sus cachés. En los demás casos, el kernel.

## Más páginas

models-models = Un modelo en todas las placas
models-boards = Una placa con todos los modelos

## De dónde viene esta ejecución

provenance-run = ejecución
provenance-started = inicio
provenance-finished = fin
provenance-interrupted = { $at }, interrumpida
provenance-not-finished = no registrado: el controlador fue terminado o sigue en marcha
provenance-suite = suite
provenance-command = orden
provenance-plan = plan
provenance-shard = fragmento
provenance-shard-text = { $n } de { $n_all }, con { $n_hosts } de los { $n_planned } equipos del plan
provenance-budget = presupuesto de tiempo
provenance-budget-text = { $seconds } s para cada equipo
provenance-memwall = memwall
provenance-revision = revisión del código
provenance-changed = { $revision }, con cambios
provenance-compiler = compilador
provenance-program = programa de la placa
provenance-program-text = { $target }, { $size }, SHA-256 { $sha }

## Archivos de datos

files-units = una fila por prueba: velocidades, cotas, veredictos (CSV)
files-samples = una fila por muestra (CSV)
files-bounds = cada modelo en cada placa, según la teoría (CSV)
files-decisions = cada modelo y cuantización en cada placa y equipo (CSV)
files-report = este informe (JSON)
files-schema = significado de los campos de ese archivo (JSON Schema)
files-imported = una fila por cifra de otro programa (CSV)
files-units-frame = una fila por prueba (Parquet, en el directorio de la ejecución)
files-samples-frame = una fila por muestra (Parquet, en el directorio de la ejecución)

## Resultados de otros programas

imported-intro = Estas cifras las imprimieron otros programas. Los ejecutó un usuario, o los inició esta ejecución como pruebas. memwall no midió ninguna de estas cifras, y no forman parte de ninguna cifra, cota ni veredicto de este informe. <b>Importado</b> es la cifra del programa, con su propia manera de contar. <b>Teoría</b> es el ancho de banda teórico de la placa. <b>Medido</b> es la medición de memwall en el mismo equipo en esta ejecución.
imported-program-host = programa, equipo
imported-implausible = inverosímil
imported-hidden = { $n ->
    [one] { $n } cifra más está en
   *[other] { $n } cifras más están en
 }
imported-on = en
imported-figures = { $n ->
    [one] { $n } cifra
   *[other] { $n } cifras
 } de <code>{ $file }</code>
imported-more-remarks = { $n ->
    [one] { $n } observación más de este tipo
   *[other] { $n } observaciones más de este tipo
 }
imported-unknown-host = esta ejecución no tiene ningún equipo con ese nombre
imported-no-theory-of-unit = no se compara con la teoría, porque ni la placa ni el equipo indican una memoria. Añada `board:` o `memory:` al equipo en el archivo de la flota.
imported-no-theory = no se compara con la teoría, porque ni la placa ni el equipo indican una memoria. Importe el archivo con `--board` o `--host`.
imported-by-this-run = iniciado por esta ejecución, con la misma supervisión que cada prueba: { $verdict }
imported-by-this-run-because = iniciado por esta ejecución, con la misma supervisión que cada prueba: { $verdict }, { $reason }
imported-tokens = Tokens por segundo
imported-tokens-note = La cota divide el ancho de banda teórico entre los bytes del archivo del modelo. Vale para generar tokens, no para leer prompts. Medido es la prueba de generación de memwall con el mismo modelo, cuantización y profundidad o, si no la hay, el mejor ancho de banda de lectura del equipo.
imported-theory-bound = teoría: cota (archivo)
imported-bandwidth = Ancho de banda
imported-bandwidth-note = Una copia que cuenta sus bytes una vez mueve el doble de bytes. Su cifra se duplica antes de compararla con la teoría. Donde se muestra una media, sus repeticiones sueltas están solo en el archivo de datos.
imported-share-of-theory = parte de la teoría
imported-latency-note = Cifras del bloque mayor de cada prueba. Los demás bloques están en el archivo de datos.
imported-implausible-note = Las cifras <b>inverosímiles</b> superan la teoría. Causas posibles: matrices que caben en las cachés, un modelo que no se lee entero para cada token, un nombre erróneo de la placa o del equipo, o una cifra errónea. Se muestran tal como se importaron.
imported-arrays = matrices de { $size }
imported-fastest = la más rápida
imported-mean = media
imported-single = única
imported-doubled = duplicado: { $rate } leídos y escritos
imported-mean-of = media de { $n }
imported-share = el { $share } de ella; modelo de { $size }
imported-own-decode = prueba de generación de memwall, { $threads }
imported-best-read = mejor lectura, { $threads }
imported-over-first-cache = añadido a un acierto en la primera caché
imported-one-step = un paso de una cadena
imported-deviation-mean = desviación / media
imported-deviation-fastest = desviación / la más rápida
imported-range-mean = rango / media
