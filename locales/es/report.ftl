# Páginas de un informe: lo que rodea a las secciones.

## Títulos

section-in-short = En resumen
section-answers = Qué ejecutar
section-failed = Fallos
section-history-link = A lo largo de las ejecuciones
section-overview = Ancho de banda medido y teórico
section-choose = Qué modelo en qué placa
section-inference = Tokens por segundo medidos en CPU
section-imported = Resultados de programas externos
section-hosts = Todos los equipos de esta ejecución
section-models = Más páginas
section-method = Cómo leer este informe
section-provenance = Origen de esta ejecución
section-files = Archivos de datos
section-host-chain = De la memoria a los tokens
section-decision = Qué ejecutar aquí
section-host-ladder = Qué aporta la cuantización
section-host-kv-cache = Qué ahorra la caché KV
section-host-interference = Coste del tráfico de memoria ajeno
section-host-sustained = Velocidad a lo largo de los minutos
section-host-power = Potencia y energía
section-host-kernels = Kernels
section-host-threads = Hilos y clústeres
section-host-sizes = Ancho de banda según el conjunto de trabajo
section-host-latency = Latencia
section-host-roofline = La aritmética y el roofline
section-host-units = Todas las pruebas
section-host-samples = Muestras
section-host-troubles = Problemas
section-host-left-out = Omitido: presupuesto de tiempo agotado
section-host-health = Posibles perturbaciones
section-host-environment = Estado del equipo
section-host-facts = Datos del equipo
section-board-memory = Ancho de banda teórico
section-board-models = Modelos en esta placa
section-model-places = En cada placa y equipo
section-model-facts = Estructura
section-history-hosts = Los equipos a lo largo de las ejecuciones
section-history-changes = Cambios
section-history-charts = Mediciones a lo largo de las ejecuciones
section-history-runs = Ejecuciones sin datos válidos

## Alrededor de las secciones

page-skip = Ir a los resultados
page-all-boards = Todas las placas
page-run = ejecución <bdi>{ $run }</bdi>
page-sections = Secciones
page-source-rows = Filas de las que sale el gráfico:
page-units-of-host = todas las pruebas de este equipo
page-failed-section = Esta sección no se pudo escribir por un error de memwall. Por favor, comuníquelo.
footer-units = 1 GB son 10<sup>9</sup> bytes, 1 GiB son 2<sup>30</sup> bytes.
footer-marks = Los contornos discontinuos son teoría. Las barras llenas son mediciones. Las grises se ejecutaron en un emulador y no se comparan con nada. Las huecas son inválidas. Las rayadas son previsiones.

## Títulos de las páginas

title-run = Ancho de banda de memoria, ejecución { $run }
title-host = Equipo { $host }
title-history = Historial
title-host-history = Historial de { $host }
subtitle-emulated = { $name } (emulado: solo se comprueba que su resultado es correcto)

## Lo que añade el script

script-light = Claro
script-dark = Oscuro
script-rows = { $n } de { $n_all } filas
script-all-places = todas las placas y equipos
script-all-models = todos los modelos
script-only-fitting = solo modelos que caben
script-least-rate = al menos, tokens/s
