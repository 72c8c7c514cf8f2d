import { signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';
const stored = (): Theme => {
    const value = typeof localStorage === 'undefined' ? null : localStorage.getItem('theme');
    return value === 'light' || value === 'dark' ? value : 'system';
};

export const theme = signal<Theme>(stored());

/** Counts changes of the colours, also those of the system: charts are drawn again. */
export const colours = signal(0);

export function applyTheme(value: Theme): void {
    theme.value = value;
    if (value === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = value;
    if (value === 'system') localStorage.removeItem('theme');
    else localStorage.setItem('theme', value);
    colours.value++;
}

export function startTheme(): void {
    applyTheme(theme.value);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => colours.value++);
}
