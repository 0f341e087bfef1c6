# Páginas de un informe: lo que rodea a las secciones.

## Títulos

section-in-short = En resumen
section-answers = Qué ejecutar
section-failed = Qué falló y por qué
section-history-link = A lo largo de las noches
section-overview = Ancho de banda medido y teórico
section-choose = Qué modelo en qué placa
section-inference = Tokens por segundo medidos en CPU
section-imported = Resultados de otros programas
section-hosts = Todos los equipos de esta ejecución
section-models = Más páginas
section-method = Cómo leer este informe
section-provenance = De dónde viene esta ejecución
section-files = Archivos de datos
section-host-chain = De la memoria a los tokens
section-decision = Qué ejecutar aquí
section-host-ladder = Qué aporta la cuantización
section-host-kv-cache = Qué ahorra la caché KV
section-host-interference = Qué cuesta el tráfico ajeno
section-host-sustained = Al principio y al cabo de unos minutos
section-host-power = Potencia y energía
section-host-kernels = Kernels
section-host-threads = Hilos y clústeres
section-host-sizes = Ancho de banda según el conjunto de trabajo
section-host-latency = Latencia
section-host-roofline = La aritmética y el roofline
section-host-units = Todas las pruebas
section-host-samples = Muestras
section-host-troubles = Qué no funcionó
section-host-left-out = Omitido por falta de tiempo
section-host-health = Qué pudo perturbarlo
section-host-environment = Estado del equipo
section-host-facts = Datos que dio el equipo
section-board-memory = Ancho de banda teórico
section-board-models = Modelos en esta placa
section-model-places = En cada placa y equipo
section-model-facts = De qué está hecho
section-history-hosts = Los equipos a lo largo de las noches
section-history-changes = Qué cambió
section-history-charts = Las líneas a lo largo de las noches
section-history-runs = Ejecuciones sin datos válidos
