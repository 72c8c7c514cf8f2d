import type { JSX } from 'preact';
import { overview } from './lib/live';
import { has, isOperator, may, type Feature } from './lib/session';
import { OverviewPage } from './pages/overview';
import { TasksPage } from './pages/tasks';
import { TaskPage } from './pages/task';
import { FailurePage, FailuresPage } from './pages/failures';
import { QueuesPage } from './pages/queues';
import { QueuePage } from './pages/queue';
import { WorkersPage } from './pages/workers';
import { SchedulePage } from './pages/schedule';
import { SchedulesPage } from './pages/schedules';
import { BatchPage, BatchesPage } from './pages/batches';
import { CallbacksPage } from './pages/callbacks';
import { OperationsPage } from './pages/operations';
import { AuditPage } from './pages/audit';
import { KeysPage } from './pages/keys';
import { MaintenancePage } from './pages/maintenance';
import { QuarantinePage } from './pages/quarantine';

/** A page, and who sees it. */
export interface Page {
    path: string;
    title: string;
    group: 'Work' | 'Setup' | 'Operations';
    needs?: Feature;
    admin?: boolean;
    operator?: boolean;
    badge?: () => number;
    list: () => JSX.Element;
    one?: (parts: string[]) => JSX.Element | null;
}

export const pages: Page[] = [
    { path: '', title: 'Overview', group: 'Work', list: () => <OverviewPage /> },
    { path: 'tasks', title: 'Tasks', group: 'Work', list: () => <TasksPage />, one: ([id]) => <TaskPage key={id} id={id!} /> },
    {
        path: 'failures',
        title: 'Failures',
        group: 'Work',
        needs: 'failures',
        badge: () => overview.value?.new_failures ?? 0,
        list: () => <FailuresPage />,
        one: ([id]) => <FailurePage key={id} id={id!} />,
    },
    {
        path: 'batches',
        title: 'Batches',
        group: 'Work',
        needs: 'batches',
        list: () => <BatchesPage />,
        one: ([id]) => <BatchPage key={id} id={id!} />,
    },
    { path: 'callbacks', title: 'Callbacks', group: 'Work', list: () => <CallbacksPage /> },
    {
        path: 'queues',
        title: 'Queues',
        group: 'Setup',
        list: () => <QueuesPage />,
        one: ([name]) => <QueuePage key={name} name={name!} />,
    },
    {
        path: 'schedules',
        title: 'Schedules',
        group: 'Setup',
        list: () => <SchedulesPage />,
        one: ([queue, name]) => (name ? <SchedulePage key={name} queue={queue!} name={name} /> : null),
    },
    {
        path: 'workers',
        title: 'Workers',
        group: 'Setup',
        needs: 'workers',
        badge: () => overview.value?.lost_workers ?? 0,
        list: () => <WorkersPage />,
    },
    { path: 'keys', title: 'Keys', group: 'Setup', admin: true, list: () => <KeysPage /> },
    { path: 'operations', title: 'Operations', group: 'Operations', needs: 'operations', list: () => <OperationsPage /> },
    { path: 'maintenance', title: 'Maintenance', group: 'Operations', operator: true, list: () => <MaintenancePage /> },
    { path: 'quarantine', title: 'Quarantine', group: 'Operations', admin: true, list: () => <QuarantinePage /> },
    { path: 'audit', title: 'Audit', group: 'Operations', admin: true, list: () => <AuditPage /> },
];

/** Whether the server offers it, and the caller may use it. */
export const visible = (p: Page): boolean => (!p.needs || has(p.needs)) && (!p.admin || may('admin')) && (!p.operator || isOperator());
