import { render } from 'preact';
import './styles/base.css';
import './styles/shell.css';
import './styles/parts.css';
import './styles/pages.css';
import 'uplot/dist/uPlot.min.css';
import './styles/chart.css';
import { App } from './app';
import { listen } from './lib/router';
import { startTheme } from './lib/theme';

startTheme();
listen();
render(<App />, document.getElementById('app')!);
