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
