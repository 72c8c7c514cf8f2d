import cronstrue from 'cronstrue';

/** A cron expression in words; as it is when it cannot be said. */
export function inWords(cron: string): string {
    const tags: Record<string, string> = {
        '@yearly': 'Every year',
        '@annually': 'Every year',
        '@monthly': 'Every month',
        '@weekly': 'Every week',
        '@daily': 'Every day at midnight',
        '@midnight': 'Every day at midnight',
        '@hourly': 'Every hour',
    };
    const tag = tags[cron.trim().toLowerCase()];
    if (tag) return tag;
    try {
        return cronstrue.toString(cron, { use24HourTimeFormat: true, verbose: false });
    } catch {
        return cron;
    }
}
