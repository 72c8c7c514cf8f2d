import type { components } from '../generated/schema';

type Schemas = components['schemas'];
export type Queue = Schemas['QueueDetails'];
export type Schedule = Schemas['ScheduleDetails'];
export type TaskDetails = Omit<Schemas['TaskDetails'], 'payload' | 'result' | 'progress'> & {
    tags?: string[];
    batch_id?: string | null;
    schedule?: string | null;
    error_type?: string | null;
};
export type TaskStep = Schemas['TaskStepDetails'];
export type Callback = Omit<Schemas['TaskCallback'], 'log'> & { log: CallbackTry[]; task_id?: string | null; batch_id?: string | null };
export type Key = Schemas['KeyDetails'];
export type AuditRecord = Schemas['AuditDetails'];
export type MaintenanceJob = Schemas['MaintenanceDetails'];
export type QuarantineItem = Schemas['QuarantineItem'];

export interface Batch {
    id: string;
    queue: string;
    tier: number;
    endpoint: string;
    state: string;
    owner: string | null;
    submitter: string | null;
    total: number;
    completed: number;
    failed: number;
    done: number;
    created_at: string;
    deadline_at: string | null;
    in_progress_at: string | null;
    finished_at: string | null;
    input_file_id: string | null;
    output_file_id: string | null;
    error_file_id: string | null;
    metadata: Record<string, string> | null;
    model: string | null;
    usage: { input_tokens: number; output_tokens: number; total_tokens: number } | null;
    retry_of: string | null;
    waiting_for: { reason: string; upstream: string | null; until: string | null } | null;
}

export type ListedCallback = Omit<Callback, 'task_id'> & { task_id: string; queue: string | null; owner: string | null };

export interface CallbackTry {
    at?: string;
    status?: number;
    error?: string;
    duration_ms?: number;
}

export interface Session {
    authentication: 'none' | 'key';
    methods: ('key' | 'oidc')[];
    caller: { name: string | null; tenant: string | null; scopes: string[]; operator: boolean } | null;
    read_only: boolean;
    can_see_payloads: boolean;
    csrf_header: string;
    version: string;
    path_base: string;
}

export interface QueueOverview {
    queue: string;
    owner?: string | null;
    declared?: boolean;
    waiting: number;
    running: number;
    oldest_age_seconds: number | null;
    in_per_second: number | null;
    out_per_second: number | null;
    failed_per_minute: number | null;
    drain_seconds: number | null;
    paused: boolean;
    spark: number[];
}

export interface Overview {
    health: { state: 'ok' | 'degraded' | 'down'; sentence: string };
    queues: QueueOverview[];
    queues_left_out?: number;
    lost_workers: number | null;
    new_failures: number | null;
    outbox: { depth: number; oldest_age_seconds: number | null } | null;
    dependencies: { name: string; state: string; detail: string | null }[];
    maintenance: { name: string; last_outcome: string | null; last_at: string | null; next_at: string | null }[];
}

export interface FoundTask {
    id: string;
    queue: string;
    tier: number;
    name: string | null;
    priority: string;
    state: string;
    attempt: number;
    max_attempts: number;
    tags: string[];
    ordering_key: string | null;
    worker: string | null;
    owner: string | null;
    batch_id: string | null;
    schedule: string | null;
    error: string | null;
    progress: unknown;
    created_at: string;
    due_at: string | null;
    started_at: string | null;
    finished_at: string | null;
}

export interface SearchPage {
    tasks: FoundTask[];
    next_cursor: string | null;
    total: { count: number; exact: boolean };
}

export interface Worker {
    id: string;
    name: string;
    version: string | null;
    host: string | null;
    transport: string;
    queues: string[];
    slots: number | null;
    running: number;
    last_seen_at: string;
    started_at: string | null;
    state: string;
    lost_tasks: { retried: number; failed: number } | null;
    owner: string | null;
}

export interface FailureGroup {
    id: string;
    kind: 'error' | 'crash';
    error_type: string | null;
    message: string;
    queue: string;
    name: string | null;
    state: 'open' | 'resolved' | 'ignored';
    count: number;
    first_seen_at: string;
    last_seen_at: string;
    owner: string | null;
    sample_task_ids: string[];
    versions: string[];
    regressed?: boolean;
    samples?: { task_id: string; attempt: number; at: string; worker: string | null; error: string | null; stack: string | null }[];
}

export interface Operation {
    id: string;
    action: string;
    state: string;
    total: { count: number; exact: boolean } | null;
    done: number;
    skipped: number;
    failed: number;
    created_at: string;
    created_by: string | null;
    finished_at: string | null;
    can_undo: boolean;
}

export interface Why {
    id: string;
    state: string;
    runs: boolean;
    message?: string | null;
    gates: { gate: string; message: string; opens_at: string | null; holder: { task_id?: string } | null; position: number | null }[];
}

export interface LogEntry {
    attempt: number;
    at: string;
    level: string;
    message: string;
}

export interface StatisticsPoint {
    at: string;
    submitted: number;
    started: number;
    completed: number;
    failed: number;
    retried: number;
    cancelled: number;
    expired: number;
    waiting: number | null;
    oldest_age_seconds: number | null;
}

export interface Statistics {
    from: string;
    to: string;
    step: string;
    queues: { queue: string; points: StatisticsPoint[] }[];
}
