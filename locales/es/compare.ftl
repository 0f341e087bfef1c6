# La página de una comparación: el lado B frente al lado A.

comparison-title = Comparación de mediciones
comparison-b-against-a = B frente a A
comparison-marks = Los triángulos son diferencias confirmadas y apuntan al lado de B. Los círculos huecos son diferencias que no se muestran, no se confirman o no se juzgan. Las líneas son intervalos del { $level }.

## Otras diferencias

comparison-changes = Otras diferencias
comparison-changes-note = Cualquiera de estas puede ser la causa de una diferencia.
comparison-what = dato
comparison-no-changes = Los datos que indican los equipos son los mismos: kernel, firmware, governors, memoria, modo de potencia y programas.

## Prueba por prueba

comparison-pairs = Prueba por prueba
comparison-chart = Velocidad de B dividida entre la de A, prueba por prueba
comparison-chart-text = Una fila por prueba, primero la mayor diferencia. Una marca muestra la diferencia y una línea, su intervalo del { $level }. La tabla de abajo tiene las mismas cifras.
comparison-slower = B es más lento
comparison-faster = B es más rápido
comparison-chart-note = El gráfico muestra las { $n } mayores diferencias, la tabla las { $n_all }.
comparison-caption = Velocidad de B dividida entre la de A en un eje logarítmico, primero la mayor diferencia.
comparison-interval = intervalo del { $level }
comparison-outcome = en palabras
comparison-notes = notas
comparison-not-shown = no se muestra

## Pruebas que no se comparan

comparison-left-out = Sin comparar
comparison-side = lado
comparison-reason = motivo
