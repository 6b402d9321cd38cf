import './style.css';
import { heights, words } from './tide.js';

const points = heights(24).map((height, hour) => `${hour * 10},${30 - height * 25}`);
document.querySelector('#sea').innerHTML = `<polyline points="${points.join(' ')}" />`;
document.querySelector('#now').textContent = words(new Date().getHours());
