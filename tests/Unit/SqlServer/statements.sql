-- AddCallbacksSql(@owed NVarChar -1 0)
insert into callbacks (subject_id, url, body, state, attempts, due_at, log, created_at, owner, origin)
select o.subject_id, o.url, o.body, 0, 0, o.at, N'[]', o.at, o.owner, o.origin
from (select convert(binary(16), j.subject_id, 2) as subject_id, j.url collate Latin1_General_100_BIN2 as url, j.body collate Latin1_General_100_BIN2 as body, j.at, convert(varbinary(800), j.owner) as owner, j.origin collate Latin1_General_100_BIN2 as origin from openjson(@owed) with (subject_id char(32) '$[0]', url nvarchar(max) '$[1]', body nvarchar(max) '$[2]', at datetime2(6) '$[3]', owner nvarchar(400) '$[4]', origin nvarchar(300) '$[5]') as j) as o

-- AddLimitSql(@queue NVarChar 128 0)
insert into queue_limits (queue, bucket_base) select @queue, 0 where not exists (select 1 from queue_limits where queue = @queue)

-- AdoptSql(@queue NVarChar 128 0)
set xact_abort on;
declare @found table (id binary(16) primary key);
declare @locked table (id binary(16) primary key);
begin transaction;
insert into @found select distinct t.id from tasks t where t.push = 0 and t.state in (3, 7) and t.id in (select t.id from tasks t where t.queue = @queue and t.state in (3, 7) and t.blocked = 0 union all select t.id from tasks t where t.queue = @queue and t.ordering_key is not null and t.state in (3, 7));
insert into @locked select t.id from (select top (2147483647) id from @found order by id) as i inner loop join tasks t with (updlock, rowlock, forceseek) on t.id = i.id
where t.push = 0 and t.state in (3, 7) order by i.id option (force order, maxdop 1);
update t set push = 1, dispatch_at = due_at, ordering_key = null, blocked = 0 from @locked l inner loop join tasks t with (rowlock, forceseek) on t.id = l.id;
commit;

-- AppendSql(@stream Int 0 0, @events NVarChar -1 0)
insert into task_events (stream, task_id, type, queue, tier, attempt, worker, error, at, due_at, dispatch, frees)
select @stream, e.task_id, e.type, e.queue, e.tier, e.attempt, e.worker, e.error, e.at, e.due_at, e.dispatch, e.frees
from (select convert(binary(16), j.task_id, 2) as task_id, j.type, j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.attempt, j.worker collate Latin1_General_100_BIN2 as worker, j.error collate Latin1_General_100_BIN2 as error, j.at, j.due_at, j.dispatch, j.frees, j.ord from openjson(@events) with (task_id char(32) '$[0]', type int '$[1]', queue nvarchar(128) '$[2]', tier int '$[3]', attempt int '$[4]', worker nvarchar(max) '$[5]', error nvarchar(max) '$[6]', at datetime2(6) '$[7]', due_at datetime2(6) '$[8]', dispatch bit '$[9]', frees bit '$[10]', ord int '$[11]') as j) as e
order by e.ord

-- BacklogSql(@now DateTime2 0 6)
select queue, tier, sum(due), sum(later), sum(blocked), sum(running), min(oldest)
from (
    select queue, tier, count_big(case when due_at <= @now then 1 end) as due, count_big(case when due_at > @now
        then 1 end) as later,
        cast(0 as bigint) as blocked, cast(0 as bigint) as running, min(case when due_at <= @now then due_at end) as oldest
    from tasks where state in (3, 7) and blocked = 0 group by queue, tier
    union all
    select queue, tier, 0, 0, count_big(*), 0, null from tasks where ordering_key is not null and state in (3, 7)
        and blocked = 1
        group by queue, tier
    union all
    select queue, tier, 0, 0, 0, count_big(*), null from tasks where state = 4 group by queue, tier) as parts
group by queue, tier

-- BadLinesSql(@id Binary 16 0, @lines NVarChar -1 0)
insert into batch_bad_lines (batch_id, line, custom_id, code, message)
select @id, l.line, l.custom_id, l.code, l.message
from (select j.line, j.custom_id collate Latin1_General_100_BIN2 as custom_id, j.code collate Latin1_General_100_BIN2 as code, j.message collate Latin1_General_100_BIN2 as message from openjson(@lines) with (line int '$[0]', custom_id nvarchar(max) '$[1]', code nvarchar(64) '$[2]', message nvarchar(max) '$[3]') as j) as l

-- CancelledEventsSql(@stream Int 0 0, @now DateTime2 0 6, @ids NVarChar -1 0)
insert into task_events (stream, task_id, type, queue, tier, attempt, worker, at, dispatch, frees)
select @stream, t.id, 6, t.queue, t.tier, t.attempt, t.worker, @now, 0, 0
from (select convert(binary(16), j.id, 2) as id from openjson(@ids) with (id char(32) '$[0]') as j) as k inner loop join tasks t with (rowlock, forceseek) on t.id = k.id

-- ClaimSql(@targets NVarChar -1 0, @max Int 0 0, @worker NVarChar 4000 0, @claimed_by NVarChar 4000 0, @lease Int 0 0, @now DateTime2 0 6, @due DateTime2 0 6, @retries Int 0 0, @stream Int 0 0, @silent NVarChar -1 0, @max_octets BigInt 0 0)
set xact_abort on;
declare @claimed table (id binary(16), queue nvarchar(128) collate Latin1_General_100_BIN2, tier int, attempt int,
    worker nvarchar(max));
with found as (
    select top (@max) c.id, c.octets, row_number() over (order by q.ord, p.priority desc, c.due_at, c.id) as place
    from (select j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.ord from openjson(@targets) with (queue nvarchar(128) '$[0]', tier int '$[1]', ord int '$[2]') as j) as q cross join (values (4), (3), (2), (1)) as p(priority)
    cross apply (select top (@max) t.id, t.due_at, (datalength(t.payload) + coalesce(datalength(t.headers), 0)) / 2 as octets
    from tasks t with (updlock, readpast, rowlock, readcommittedlock)
where t.queue = q.queue and t.tier = q.tier and t.priority = p.priority
  and t.state in (3, 7) and t.blocked = 0 and t.push = 0 and t.due_at <= @due
  and (t.expires_at is null or t.expires_at > @now)
order by t.due_at, t.id) as c
    order by place),
summed as (
    select f.id, f.place, f.octets, sum(f.octets) over (order by f.place rows unbounded preceding) as octets_so_far
        from found f),
due as (
    select s.id, s.place, 0 as share, @worker as worker, @claimed_by as claimed_by, @lease as lease from summed s
        where s.octets_so_far <= @max_octets or s.octets_so_far = s.octets)
update t
set state = 4, attempt = t.attempt + 1, worker = d.worker, claimed_by = d.claimed_by,
    attempts_left = case when @retries is null then t.attempts_left - 1 when t.tier = 0 then 0 when @retries < 0 then 100
        when @retries > t.attempt then @retries - t.attempt else 0 end,
    lease_ms = case when d.lease <> 0 then d.lease when d.lease is null then t.default_lease_ms
        when datediff_big(microsecond, @now, coalesce(t.expires_at, dateadd(day, 24, @now))) / 1000 > 2147483647 then 2147483647
        else datediff_big(microsecond, @now, coalesce(t.expires_at, dateadd(day, 24, @now))) / 1000 end,
    lease_until = case when d.lease = 0 then coalesce(t.expires_at, dateadd(day, 24, @now)) else dateadd(millisecond, coalesce(d.lease, t.default_lease_ms), @now) end,
    started_at = @now, dispatch_at = null, limited = 0
output inserted.id, inserted.queue, inserted.tier, inserted.attempt, inserted.worker into @claimed
output d.share, d.place, inserted.id, inserted.state, inserted.queue, inserted.tier, inserted.priority, inserted.push, cast(inserted.name as nvarchar(400)) as name, cast(inserted.dedupe_key as nvarchar(400)) as dedupe_key, cast(inserted.ordering_key as nvarchar(400)) as ordering_key, inserted.blocked, inserted.payload, inserted.headers, inserted.result, inserted.error, inserted.attempt, inserted.attempts_left, inserted.max_attempts, inserted.retry, inserted.default_lease_ms, inserted.lease_ms, inserted.lease_until, inserted.worker, inserted.claimed_by, inserted.created_at, inserted.due_at, inserted.expires_at, inserted.started_at, inserted.finished_at, inserted.limited, inserted.dead, inserted.delete_at, inserted.dispatch_at, inserted.ending, inserted.batch_id, cast(inserted.owner as nvarchar(400)) as owner, inserted.progress
from due d inner loop join tasks t with (rowlock, forceseek) on t.id = d.id
where t.state in (3, 7) and t.blocked = 0
option (maxdop 1, optimize for (@max = 1));
if @@rowcount = 0 return;
declare @granted int, @resource nvarchar(255) = concat(N'taskqueue:stream:', @stream);
exec @granted = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Transaction';
if @granted < 0 throw 51205, 'a lock was not granted', 1;
insert into task_events (stream, task_id, type, queue, tier, attempt, worker, at, dispatch, frees)
select @stream, id, 2, queue, tier, attempt, worker, @now, 0, 0 from @claimed
where queue not in (select queue from (select j.queue collate Latin1_General_100_BIN2 as queue from openjson(@silent) with (queue nvarchar(128) '$[0]') as j) as s);

-- CountLinesSql(@stream Int 0 0, @rows NVarChar -1 0)
set xact_abort on;
declare @counts table (batch_id binary(16), line_end int, count int, primary key (batch_id, line_end));
insert into @counts select batch_id, line_end, count
    from (select convert(binary(16), j.batch_id, 2) as batch_id, j.line_end, j.count from openjson(@rows) with (batch_id char(32) '$[0]', line_end int '$[1]', count int '$[2]') as j) as r;
update c set count = c.count + n.count from @counts n
inner loop join batch_counts c with (rowlock, forceseek) on c.batch_id = n.batch_id and c.stream = @stream and c.line_end = n.line_end;
insert into batch_counts (batch_id, stream, line_end, count)
select n.batch_id, @stream, n.line_end, n.count from @counts n
where not exists (select 1 from batch_counts c with (forceseek) where c.batch_id = n.batch_id and c.stream = @stream
    and c.line_end = n.line_end);

-- CountSql(@stream Int 0 0, @rows NVarChar -1 0)
set xact_abort on;
declare @counts table (queue nvarchar(128) collate Latin1_General_100_BIN2, tier int, type int, count bigint,
    primary key (queue, tier, type));
insert into @counts select queue, tier, type, count
    from (select j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.type, j.count from openjson(@rows) with (queue nvarchar(128) '$[0]', tier int '$[1]', type int '$[2]', count bigint '$[3]') as j) as r;
update c set count = c.count + n.count from @counts n
inner loop join queue_counts c with (rowlock, forceseek) on c.queue = n.queue and c.tier = n.tier and c.stream = @stream and c.type = n.type;
insert into queue_counts (queue, tier, stream, type, count)
select n.queue, n.tier, @stream, n.type, n.count from @counts n
where not exists (select 1 from queue_counts c with (forceseek) where c.queue = n.queue and c.tier = n.tier and c.stream = @stream
    and c.type = n.type);

-- EndOfEventsSql()
declare @end bigint = cast(ident_current(N'task_events') as bigint);
select s.id, coalesce((select max(e.id) from task_events e where e.stream = s.id and e.id <= @end), 0) from event_streams s

-- EvictSql(@queue NVarChar 128 0, @max Int 0 0, @now DateTime2 0 6)
set xact_abort on;
declare @old table (id binary(16) primary key);
insert into @old
select id from tasks with (readcommittedlock) where queue = @queue and dead = 1 and delete_at > @now
    order by finished_at desc, id desc offset @max rows;
update t set delete_at = @now, dead = 0 from @old o inner loop join tasks t with (rowlock, forceseek) on t.id = o.id where t.dead = 1;

-- ExistingSql(@ids NVarChar -1 0)
select t.id, cast(t.owner as nvarchar(400)) as owner, t.delete_at from (select convert(binary(16), j.id, 2) as id from openjson(@ids) with (id char(32) '$[0]') as j) as k inner loop join tasks t with (rowlock, forceseek) on t.id = k.id

-- FillBucketSql(@queue NVarChar 128 0)
update queue_limits set bucket_base = 0 where queue = @queue

-- FinishedSql(@queues NVarChar -1 0)
select c.queue, c.tier, sum(c.count) from queue_counts c
where c.queue in (select queue from (select j.queue collate Latin1_General_100_BIN2 as queue from openjson(@queues) with (queue nvarchar(128) '$[0]') as j) as q) and c.type in (3, 4)
    group by c.queue, c.tier

-- FollowDuesSql(@now DateTime2 0 6)
set xact_abort on;
declare @found table (id binary(16) primary key);
declare @locked table (id binary(16) primary key);
begin transaction;
insert into @found select distinct t.id from tasks t where t.state in (3, 7) and t.due_at > @now and case when t.started_at > t.created_at then t.started_at
    else t.created_at end > @now
  and t.due_at < dateadd(hour, 1, case when t.started_at > t.created_at then t.started_at else t.created_at end);
insert into @locked select t.id from (select top (2147483647) id from @found order by id) as i inner loop join tasks t with (updlock, rowlock, forceseek) on t.id = i.id
where t.state in (3, 7) and t.due_at > @now order by i.id option (force order, maxdop 1);
update t set due_at = @now, dispatch_at = case when dispatch_at is null then null else @now end from @locked l inner loop join tasks t with (rowlock, forceseek) on t.id = l.id;
commit;

-- FollowLeasesSql(@now DateTime2 0 6)
set xact_abort on;
declare @found table (id binary(16) primary key);
declare @locked table (id binary(16) primary key);
begin transaction;
insert into @found select distinct t.id from tasks t where t.state = 4 and (t.lease_until <> t.expires_at or (t.lease_until is null and t.expires_at is not null)
    or (t.lease_until is not null and t.expires_at is null))
  and (t.lease_until <= @now or t.lease_until > dateadd(millisecond, t.lease_ms, @now));
insert into @locked select t.id from (select top (2147483647) id from @found order by id) as i inner loop join tasks t with (updlock, rowlock, forceseek) on t.id = i.id
where t.state = 4 order by i.id option (force order, maxdop 1);
update t set lease_until = dateadd(millisecond, lease_ms, @now) from @locked l inner loop join tasks t with (rowlock, forceseek) on t.id = l.id;
commit;

-- ForgetCountsSql(@queue NVarChar 128 0)
delete from queue_counts where queue = @queue

-- HoldersSql(@keys NVarChar -1 0)
set xact_abort on;
declare @found table (id binary(16) primary key);
insert into @found
select t.id from (select j.queue collate Latin1_General_100_BIN2 as queue, convert(varbinary(800), j.dedupe_key) as dedupe_key from openjson(@keys) with (queue nvarchar(128) '$[0]', dedupe_key nvarchar(400) '$[1]') as j) as k
inner loop join tasks t on t.queue = k.queue and t.dedupe_key = k.dedupe_key
where t.dedupe_key is not null and t.state in (3, 4, 7);
declare @bucket int = -1, @granted int, @resource nvarchar(255);
declare @buckets table (bucket int primary key);
insert into @buckets select distinct binary_checksum(cast(k.queue as varbinary(256)), k.ordering_key) & 1048575 from @found f inner loop join tasks k with (rowlock, forceseek) on k.id = f.id where k.ordering_key is not null;
while 1 = 1
begin
    set @bucket = (select min(bucket) from @buckets where bucket > @bucket);
    if @bucket is null break;
    set @resource = concat(N'taskqueue:ordering-key:', @bucket);
    exec @granted = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Transaction';
    if @granted < 0 throw 51205, 'a lock was not granted', 1;
end;
select t.id, t.state, t.queue, t.tier, t.priority, t.push, cast(t.name as nvarchar(400)) as name, cast(t.dedupe_key as nvarchar(400)) as dedupe_key, cast(t.ordering_key as nvarchar(400)) as ordering_key, t.blocked, t.payload, t.headers, t.result, t.error, t.attempt, t.attempts_left, t.max_attempts, t.retry, t.default_lease_ms, t.lease_ms, t.lease_until, t.worker, t.claimed_by, t.created_at, t.due_at, t.expires_at, t.started_at, t.finished_at, t.limited, t.dead, t.delete_at, t.dispatch_at, t.ending, t.batch_id, cast(t.owner as nvarchar(400)) as owner, t.progress from (select top (2147483647) id from @found order by id) as i inner loop join tasks t with (updlock, rowlock, forceseek) on t.id = i.id
where t.dedupe_key is not null and t.state in (3, 4, 7) order by i.id option (force order, maxdop 1);

-- InsertTasksSql(@rows NVarChar -1 0)
insert into tasks (id, state, queue, tier, priority, push, name, dedupe_key, ordering_key, blocked, payload, headers, result, error, attempt, attempts_left, max_attempts, retry, default_lease_ms, lease_ms, lease_until, worker, claimed_by, created_at, due_at, expires_at, started_at, finished_at, limited, dead, delete_at, dispatch_at, ending, batch_id, owner, progress)
output inserted.id
select r.id, r.state, r.queue, r.tier, r.priority, r.push, r.name, r.dedupe_key, r.ordering_key, r.blocked, r.payload, r.headers, r.result, r.error, r.attempt, r.attempts_left, r.max_attempts, r.retry, r.default_lease_ms, r.lease_ms, r.lease_until, r.worker, r.claimed_by, r.created_at, r.due_at, r.expires_at, r.started_at, r.finished_at, r.limited, r.dead, r.delete_at, r.dispatch_at, r.ending, r.batch_id, r.owner, r.progress from (select convert(binary(16), j.id, 2) as id, j.state, j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.priority, j.push, convert(varbinary(800), j.name) as name, convert(varbinary(800), j.dedupe_key) as dedupe_key, convert(varbinary(800), j.ordering_key) as ordering_key, j.blocked, j.payload collate Latin1_General_100_BIN2 as payload, j.headers collate Latin1_General_100_BIN2 as headers, j.result collate Latin1_General_100_BIN2 as result, j.error collate Latin1_General_100_BIN2 as error, j.attempt, j.attempts_left, j.max_attempts, j.retry collate Latin1_General_100_BIN2 as retry, j.default_lease_ms, j.lease_ms, j.lease_until, j.worker collate Latin1_General_100_BIN2 as worker, j.claimed_by collate Latin1_General_100_BIN2 as claimed_by, j.created_at, j.due_at, j.expires_at, j.started_at, j.finished_at, j.limited, j.dead, j.delete_at, j.dispatch_at, j.ending collate Latin1_General_100_BIN2 as ending, convert(binary(16), j.batch_id, 2) as batch_id, convert(varbinary(800), j.owner) as owner, j.progress collate Latin1_General_100_BIN2 as progress from openjson(@rows) with (id char(32) '$[0]', state int '$[1]', queue nvarchar(128) '$[2]', tier int '$[3]', priority int '$[4]', push bit '$[5]', name nvarchar(400) '$[6]', dedupe_key nvarchar(400) '$[7]', ordering_key nvarchar(400) '$[8]', blocked bit '$[9]', payload nvarchar(max) '$[10]', headers nvarchar(max) '$[11]', result nvarchar(max) '$[12]', error nvarchar(max) '$[13]', attempt int '$[14]', attempts_left int '$[15]', max_attempts int '$[16]', retry nvarchar(max) '$[17]', default_lease_ms int '$[18]', lease_ms int '$[19]', lease_until datetime2(6) '$[20]', worker nvarchar(max) '$[21]', claimed_by nvarchar(max) '$[22]', created_at datetime2(6) '$[23]', due_at datetime2(6) '$[24]', expires_at datetime2(6) '$[25]', started_at datetime2(6) '$[26]', finished_at datetime2(6) '$[27]', limited bit '$[28]', dead bit '$[29]', delete_at datetime2(6) '$[30]', dispatch_at datetime2(6) '$[31]', ending nvarchar(max) '$[32]', batch_id char(32) '$[33]', owner nvarchar(400) '$[34]', progress nvarchar(max) '$[35]') as j) as r
where not exists (select 1 from tasks t where t.id = r.id)
  and not exists (
    select 1 from tasks h where h.queue = r.queue and h.dedupe_key = r.dedupe_key and h.dedupe_key is not null
        and h.state in (3, 4, 7))
order by r.queue, r.dedupe_key, r.id;

-- InsertWithEventsSql(@rows NVarChar -1 0, @stream Int 0 0, @silent NVarChar -1 0)
set xact_abort on;
declare @inserted table (id binary(16), queue nvarchar(128) collate Latin1_General_100_BIN2, tier int, attempt int,
    created_at datetime2(6), due_at datetime2(6), dispatch_at datetime2(6));
insert into tasks (id, state, queue, tier, priority, push, name, dedupe_key, ordering_key, blocked, payload, headers, result, error, attempt, attempts_left, max_attempts, retry, default_lease_ms, lease_ms, lease_until, worker, claimed_by, created_at, due_at, expires_at, started_at, finished_at, limited, dead, delete_at, dispatch_at, ending, batch_id, owner, progress)
output inserted.id, inserted.queue, inserted.tier, inserted.attempt, inserted.created_at, inserted.due_at, inserted.dispatch_at into @inserted
select r.id, r.state, r.queue, r.tier, r.priority, r.push, r.name, r.dedupe_key, r.ordering_key, r.blocked, r.payload, r.headers, r.result, r.error, r.attempt, r.attempts_left, r.max_attempts, r.retry, r.default_lease_ms, r.lease_ms, r.lease_until, r.worker, r.claimed_by, r.created_at, r.due_at, r.expires_at, r.started_at, r.finished_at, r.limited, r.dead, r.delete_at, r.dispatch_at, r.ending, r.batch_id, r.owner, r.progress from (select convert(binary(16), j.id, 2) as id, j.state, j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.priority, j.push, convert(varbinary(800), j.name) as name, convert(varbinary(800), j.dedupe_key) as dedupe_key, convert(varbinary(800), j.ordering_key) as ordering_key, j.blocked, j.payload collate Latin1_General_100_BIN2 as payload, j.headers collate Latin1_General_100_BIN2 as headers, j.result collate Latin1_General_100_BIN2 as result, j.error collate Latin1_General_100_BIN2 as error, j.attempt, j.attempts_left, j.max_attempts, j.retry collate Latin1_General_100_BIN2 as retry, j.default_lease_ms, j.lease_ms, j.lease_until, j.worker collate Latin1_General_100_BIN2 as worker, j.claimed_by collate Latin1_General_100_BIN2 as claimed_by, j.created_at, j.due_at, j.expires_at, j.started_at, j.finished_at, j.limited, j.dead, j.delete_at, j.dispatch_at, j.ending collate Latin1_General_100_BIN2 as ending, convert(binary(16), j.batch_id, 2) as batch_id, convert(varbinary(800), j.owner) as owner, j.progress collate Latin1_General_100_BIN2 as progress from openjson(@rows) with (id char(32) '$[0]', state int '$[1]', queue nvarchar(128) '$[2]', tier int '$[3]', priority int '$[4]', push bit '$[5]', name nvarchar(400) '$[6]', dedupe_key nvarchar(400) '$[7]', ordering_key nvarchar(400) '$[8]', blocked bit '$[9]', payload nvarchar(max) '$[10]', headers nvarchar(max) '$[11]', result nvarchar(max) '$[12]', error nvarchar(max) '$[13]', attempt int '$[14]', attempts_left int '$[15]', max_attempts int '$[16]', retry nvarchar(max) '$[17]', default_lease_ms int '$[18]', lease_ms int '$[19]', lease_until datetime2(6) '$[20]', worker nvarchar(max) '$[21]', claimed_by nvarchar(max) '$[22]', created_at datetime2(6) '$[23]', due_at datetime2(6) '$[24]', expires_at datetime2(6) '$[25]', started_at datetime2(6) '$[26]', finished_at datetime2(6) '$[27]', limited bit '$[28]', dead bit '$[29]', delete_at datetime2(6) '$[30]', dispatch_at datetime2(6) '$[31]', ending nvarchar(max) '$[32]', batch_id char(32) '$[33]', owner nvarchar(400) '$[34]', progress nvarchar(max) '$[35]') as j) as r
where not exists (select 1 from tasks t where t.id = r.id)
  and not exists (
    select 1 from tasks h where h.queue = r.queue and h.dedupe_key = r.dedupe_key and h.dedupe_key is not null
        and h.state in (3, 4, 7))
order by r.id;
select id from @inserted;
if not exists (select 1 from @inserted) return;
declare @granted int, @resource nvarchar(255) = concat(N'taskqueue:stream:', @stream);
exec @granted = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Transaction';
if @granted < 0 throw 51205, 'a lock was not granted', 1;
insert into task_events (stream, task_id, type, queue, tier, attempt, at, due_at, dispatch, frees)
select @stream, id, case when s.queue is null then 1 else 8 end,
    i.queue, tier, attempt, created_at, due_at, case when dispatch_at > due_at then 1 else 0 end, 0
from @inserted i left join (select j.queue collate Latin1_General_100_BIN2 as queue from openjson(@silent) with (queue nvarchar(128) '$[0]') as j) as s on s.queue = i.queue
where s.queue is null or dispatch_at > due_at;

-- LeadSql()
declare @granted int; exec @granted = sp_getapplock @Resource = N'taskqueue:dispatcher', @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 0; select @granted;

-- LimitRunningSql(@queue NVarChar 128 0)
set xact_abort on;
declare @found table (id binary(16) primary key);
declare @locked table (id binary(16) primary key);
begin transaction;
insert into @found select distinct t.id from tasks t where t.queue = @queue and t.state = 4 and t.limited = 0;
insert into @locked select t.id from (select top (2147483647) id from @found order by id) as i inner loop join tasks t with (updlock, rowlock, forceseek) on t.id = i.id
where t.state = 4 and t.limited = 0 order by i.id option (force order, maxdop 1);
update t set limited = 1 from @locked l inner loop join tasks t with (rowlock, forceseek) on t.id = l.id;
commit;

-- LimitedClaimSql(@targets NVarChar -1 0, @max Int 0 0, @shares NVarChar -1 0, @now DateTime2 0 6, @due DateTime2 0 6, @retries Int 0 0, @stream Int 0 0, @silent NVarChar -1 0, @limits NVarChar -1 0, @ns BigInt 0 0, @order Int 0 0, @hold Int 0 0, @max_octets BigInt 0 0)
set xact_abort on;
declare @claimed table (id binary(16), queue nvarchar(128) collate Latin1_General_100_BIN2, tier int, attempt int,
    worker nvarchar(max));
with allowances as (
    select g.queue, case when a.running < a.tokens then a.running else a.tokens end as allowed
    from (select j.queue collate Latin1_General_100_BIN2 as queue, j.max_running, j.period_ns, j.max_tokens from openjson(@limits) with (queue nvarchar(128) '$[0]', max_running int '$[1]', period_ns bigint '$[2]', max_tokens bigint '$[3]') as j) as g inner loop join queue_limits b with (forceseek) on b.queue = g.queue
    cross apply (select case when b.bucket_base > @ns - g.max_tokens * g.period_ns then b.bucket_base
        else @ns - g.max_tokens * g.period_ns end as base) as k
    cross apply (select
        case when g.max_running = 0 then @max else g.max_running
            - (select count(*) from tasks r with (readcommittedlock) where r.queue = g.queue and r.state = 4
                and r.limited = 1) end as running,
        case when g.period_ns = 0 then @max else (@ns - k.base) / g.period_ns end as tokens) as a),
limits as (
    select q.queue, q.tier, q.ord,
        case when g.allowed is null or g.allowed > @max then @max when g.allowed < 0 then 0 else g.allowed end as allowed
    from (select j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.ord from openjson(@targets) with (queue nvarchar(128) '$[0]', tier int '$[1]', ord int '$[2]') as j) as q left join allowances g on g.queue = q.queue),
found as (
    select c.id, c.due_at, c.octets, q.queue, q.ord, p.priority, q.allowed,
        row_number() over (partition by q.ord order by p.priority desc, c.due_at, c.id) as turn
    from limits q cross join (values (4), (3), (2), (1)) as p(priority)
    cross apply (select top (case when @order = 4 and q.allowed > 1 then 1 else q.allowed end) t.id, t.due_at, (datalength(t.payload) + coalesce(datalength(t.headers), 0)) / 2 as octets
    from tasks t with (updlock, readpast, rowlock, readcommittedlock)
where t.queue = q.queue and t.tier = q.tier and t.priority = p.priority
  and t.state in (3, 7) and t.blocked = 0 and t.push = 0 and t.due_at <= @due
  and (t.expires_at is null or t.expires_at > @now)
order by t.due_at, t.id) as c
    where @order <> 4 or not exists (
        select 1 from queue_locks l join tasks h on h.id = l.task_id
        where l.queue = q.queue and l.tier = q.tier and l.until > @now and h.state = 4
            and h.attempt = l.attempt)),
placed as (
    select f.id, f.allowed, f.octets, row_number() over (order by case when @order = 2 then f.turn else 0 end, case when @order = 1 then 0 else f.ord end, case when @order = 1 then 0 else -f.priority end, f.due_at, f.id) as place,
        row_number() over (partition by f.queue order by case when @order = 2 then f.turn else 0 end, case when @order = 1 then 0 else f.ord end, case when @order = 1 then 0 else -f.priority end, f.due_at, f.id) as number
    from found f where @order <> 4 or f.turn = 1),
picked as (
    select top (@max) n.id, n.place, n.octets, row_number() over (order by n.place) as taken,
        sum(n.octets) over (order by n.place rows unbounded preceding) as octets_so_far
    from placed n where n.number <= n.allowed order by n.place),
due as (
    select n.id, n.place, s.share, s.worker, s.claimed_by, s.lease from picked n
    cross apply (
        select top (1) s.share, s.worker, s.claimed_by, s.lease
        from (select j.share, j.up_to, j.worker collate Latin1_General_100_BIN2 as worker, j.claimed_by collate Latin1_General_100_BIN2 as claimed_by, j.lease from openjson(@shares) with (share int '$[0]', up_to int '$[1]', worker nvarchar(max) '$[2]', claimed_by nvarchar(128) '$[3]', lease int '$[4]') as j) as s where s.up_to >= n.taken order by s.up_to, s.share) as s
    where n.octets_so_far <= @max_octets or n.octets_so_far = n.octets)
update t
set state = 4, attempt = t.attempt + 1, worker = d.worker, claimed_by = d.claimed_by,
    attempts_left = case when @retries is null then t.attempts_left - 1 when t.tier = 0 then 0 when @retries < 0 then 100
        when @retries > t.attempt then @retries - t.attempt else 0 end,
    lease_ms = case when d.lease <> 0 then d.lease when d.lease is null then t.default_lease_ms
        when datediff_big(microsecond, @now, coalesce(t.expires_at, dateadd(day, 24, @now))) / 1000 > 2147483647 then 2147483647
        else datediff_big(microsecond, @now, coalesce(t.expires_at, dateadd(day, 24, @now))) / 1000 end,
    lease_until = case when d.lease = 0 then coalesce(t.expires_at, dateadd(day, 24, @now)) else dateadd(millisecond, coalesce(d.lease, t.default_lease_ms), @now) end,
    started_at = @now, dispatch_at = null, limited = case when exists (select 1 from (select j.queue collate Latin1_General_100_BIN2 as queue, j.max_running, j.period_ns, j.max_tokens from openjson(@limits) with (queue nvarchar(128) '$[0]', max_running int '$[1]', period_ns bigint '$[2]', max_tokens bigint '$[3]') as j) as g where g.queue = t.queue) then 1 else 0 end
output inserted.id, inserted.queue, inserted.tier, inserted.attempt, inserted.worker into @claimed
output d.share, d.place, inserted.id, inserted.state, inserted.queue, inserted.tier, inserted.priority, inserted.push, cast(inserted.name as nvarchar(400)) as name, cast(inserted.dedupe_key as nvarchar(400)) as dedupe_key, cast(inserted.ordering_key as nvarchar(400)) as ordering_key, inserted.blocked, inserted.payload, inserted.headers, inserted.result, inserted.error, inserted.attempt, inserted.attempts_left, inserted.max_attempts, inserted.retry, inserted.default_lease_ms, inserted.lease_ms, inserted.lease_until, inserted.worker, inserted.claimed_by, inserted.created_at, inserted.due_at, inserted.expires_at, inserted.started_at, inserted.finished_at, inserted.limited, inserted.dead, inserted.delete_at, inserted.dispatch_at, inserted.ending, inserted.batch_id, cast(inserted.owner as nvarchar(400)) as owner, inserted.progress
from due d inner loop join tasks t with (rowlock, forceseek) on t.id = d.id
where t.state in (3, 7) and t.blocked = 0
option (maxdop 1, optimize for (@max = 1));
if @@rowcount = 0 return;
update b set bucket_base = n.tasks * g.period_ns
    + case when b.bucket_base > @ns - g.max_tokens * g.period_ns then b.bucket_base else @ns - g.max_tokens * g.period_ns end
from (select j.queue collate Latin1_General_100_BIN2 as queue, j.max_running, j.period_ns, j.max_tokens from openjson(@limits) with (queue nvarchar(128) '$[0]', max_running int '$[1]', period_ns bigint '$[2]', max_tokens bigint '$[3]') as j) as g inner loop join queue_limits b with (rowlock, forceseek) on b.queue = g.queue
join (select queue, count(*) as tasks from @claimed group by queue) as n on n.queue = b.queue
where g.period_ns > 0;
if @order = 4
begin
    delete l from @claimed c inner loop join queue_locks l with (rowlock, forceseek) on l.queue = c.queue and l.tier = c.tier;
    insert into queue_locks (queue, tier, task_id, attempt, until)
    select queue, tier, id, attempt, dateadd(millisecond, @hold, @now) from @claimed;
end;
declare @granted int, @resource nvarchar(255) = concat(N'taskqueue:stream:', @stream);
exec @granted = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Transaction';
if @granted < 0 throw 51205, 'a lock was not granted', 1;
insert into task_events (stream, task_id, type, queue, tier, attempt, worker, at, dispatch, frees)
select @stream, id, 2, queue, tier, attempt, worker, @now, 0, 0 from @claimed
where queue not in (select queue from (select j.queue collate Latin1_General_100_BIN2 as queue from openjson(@silent) with (queue nvarchar(128) '$[0]') as j) as s);

-- LoadCursorsSql()
select id, [cursor] from event_streams

-- LoadSql(@ids NVarChar -1 0)
set xact_abort on;
declare @wanted table (id binary(16) primary key);
insert into @wanted select id from (select convert(binary(16), j.id, 2) as id from openjson(@ids) with (id char(32) '$[0]') as j) as j;
declare @bucket int = -1, @granted int, @resource nvarchar(255);
declare @buckets table (bucket int primary key);
insert into @buckets select distinct binary_checksum(cast(k.queue as varbinary(256)), k.ordering_key) & 1048575 from @wanted w inner loop join tasks k with (rowlock, forceseek) on k.id = w.id where k.ordering_key is not null;
while 1 = 1
begin
    set @bucket = (select min(bucket) from @buckets where bucket > @bucket);
    if @bucket is null break;
    set @resource = concat(N'taskqueue:ordering-key:', @bucket);
    exec @granted = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Transaction';
    if @granted < 0 throw 51205, 'a lock was not granted', 1;
end;
select t.id, t.state, t.queue, t.tier, t.priority, t.push, cast(t.name as nvarchar(400)) as name, cast(t.dedupe_key as nvarchar(400)) as dedupe_key, cast(t.ordering_key as nvarchar(400)) as ordering_key, t.blocked, t.result, t.error, t.attempt, t.attempts_left, t.max_attempts, t.retry, t.default_lease_ms, t.lease_ms, t.lease_until, t.worker, t.claimed_by, t.created_at, t.due_at, t.expires_at, t.started_at, t.finished_at, t.limited, t.dead, t.delete_at, t.dispatch_at, t.ending, t.batch_id, cast(t.owner as nvarchar(400)) as owner, t.progress from (select top (2147483647) id from @wanted order by id) as i inner loop join tasks t with (updlock, rowlock, forceseek) on t.id = i.id
order by i.id option (force order, maxdop 1);

-- LockDeadLettersSql(@queue NVarChar 128 0)
declare @granted int, @resource nvarchar(255) = concat(N'taskqueue:letters:', @queue);
exec @granted = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Transaction';
if @granted < 0 throw 51205, 'a lock was not granted', 1;

-- LockLimitsSql(@limits NVarChar -1 0)
select b.queue from (select top (2147483647) queue from (select j.queue collate Latin1_General_100_BIN2 as queue from openjson(@limits) with (queue nvarchar(128) '$[0]') as j) as j order by queue) as g
inner loop join queue_limits b with (updlock, rowlock, forceseek) on b.queue = g.queue
order by g.queue option (force order, maxdop 1)

-- LockOrderingKeysSql(@keys NVarChar -1 0)
set xact_abort on;
declare @bucket int = -1, @granted int, @resource nvarchar(255);
declare @buckets table (bucket int primary key);
insert into @buckets select distinct binary_checksum(cast(k.queue as varbinary(256)), k.ordering_key) & 1048575 from (select j.queue collate Latin1_General_100_BIN2 as queue, convert(varbinary(800), j.ordering_key) as ordering_key from openjson(@keys) with (queue nvarchar(128) '$[0]', ordering_key nvarchar(400) '$[1]') as j) as k;
while 1 = 1
begin
    set @bucket = (select min(bucket) from @buckets where bucket > @bucket);
    if @bucket is null break;
    set @resource = concat(N'taskqueue:ordering-key:', @bucket);
    exec @granted = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Transaction';
    if @granted < 0 throw 51205, 'a lock was not granted', 1;
end;

-- LockStreamSql(@stream Int 0 0)
declare @granted int, @resource nvarchar(255) = concat(N'taskqueue:stream:', @stream);
exec @granted = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Transaction';
if @granted < 0 throw 51205, 'a lock was not granted', 1;

-- LockTargetSql(@target Int 0 0)
declare @granted int, @resource nvarchar(255) = concat(N'taskqueue:target:', @target);
exec @granted = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Transaction';
if @granted < 0 throw 51205, 'a lock was not granted', 1;

-- LookSql()
select coalesce(sum(e.id), 0)
from event_streams s cross apply (select top (1) id from task_events with (readpast, readcommittedlock, rowlock) where stream = s.id
    order by id desc) as e

-- NextCallbackSql()
select top (1) due_at from callbacks where state = 0 order by due_at

-- NextDispatchSql()
select top (1) dispatch_at from tasks where dispatch_at is not null order by dispatch_at

-- NextDueSql(@targets NVarChar -1 0, @now DateTime2 0 6)
select min(c.due_at)
from (select j.queue collate Latin1_General_100_BIN2 as queue, j.tier from openjson(@targets) with (queue nvarchar(128) '$[0]', tier int '$[1]') as j) as q cross join (values (4), (3), (2), (1)) as p(priority)
cross apply (
    select top (1) t.due_at from tasks t
    where t.queue = q.queue and t.tier = q.tier and t.priority = p.priority
      and t.state in (3, 7) and t.blocked = 0 and t.push = 0 and t.due_at > @now
    order by t.due_at) as c

-- NextExpiredLeaseSql()
select top (1) lease_until from tasks where state = 4 and lease_until is not null order by lease_until

-- NextExpiredSql()
select top (1) expires_at from tasks where state in (3, 7) and expires_at is not null order by expires_at

-- OutboxSql()
select coalesce(sum(c.rows), 0), min(c.oldest)
from event_streams s cross apply (
    select count_big(*) as rows, min(e.at) as oldest from (
        select top (1000) at from task_events where stream = s.id and id > s.[cursor]
            order by id) as e) as c

-- OverwriteSql(@rows NVarChar -1 0)
update t set payload = u.payload, due_at = u.due_at, expires_at = u.expires_at, dispatch_at = u.dispatch_at
from (select convert(binary(16), j.id, 2) as id, j.payload collate Latin1_General_100_BIN2 as payload, j.due_at, j.expires_at, j.dispatch_at from openjson(@rows) with (id char(32) '$[0]', payload nvarchar(max) '$[1]', due_at datetime2(6) '$[2]', expires_at datetime2(6) '$[3]', dispatch_at datetime2(6) '$[4]') as j) as u inner loop join tasks t with (rowlock, forceseek) on t.id = u.id

-- PromoteSql(@keys NVarChar -1 0)
set xact_abort on;
declare @bucket int = -1, @granted int, @resource nvarchar(255);
declare @buckets table (bucket int primary key);
insert into @buckets select distinct binary_checksum(cast(k.queue as varbinary(256)), k.ordering_key) & 1048575 from (select j.queue collate Latin1_General_100_BIN2 as queue, convert(varbinary(800), j.ordering_key) as ordering_key from openjson(@keys) with (queue nvarchar(128) '$[0]', ordering_key nvarchar(400) '$[1]') as j) as k;
while 1 = 1
begin
    set @bucket = (select min(bucket) from @buckets where bucket > @bucket);
    if @bucket is null break;
    set @resource = concat(N'taskqueue:ordering-key:', @bucket);
    exec @granted = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Transaction';
    if @granted < 0 throw 51205, 'a lock was not granted', 1;
end;
declare @late table (id binary(16) primary key);
insert into @late select h.id from (select j.queue collate Latin1_General_100_BIN2 as queue, convert(varbinary(800), j.ordering_key) as ordering_key from openjson(@keys) with (queue nvarchar(128) '$[0]', ordering_key nvarchar(400) '$[1]') as j) as k cross apply (select top (1) m.id from tasks m with (readcommittedlock) where m.queue = k.queue and m.ordering_key = k.ordering_key and m.ordering_key is not null
    and m.state in (3, 7)
    order by m.due_at, m.id) as f cross apply (select h.id from tasks h with (readcommittedlock) where h.queue = k.queue and h.ordering_key = k.ordering_key and h.ordering_key is not null and h.blocked = 0 and h.state in (3, 4, 7)) as h where h.id <> f.id;
update t set blocked = 1 from @late l inner loop join tasks t with (rowlock, forceseek) on t.id = l.id where t.state in (3, 7)
    and t.blocked = 0;
update t set blocked = 0
from (select j.queue collate Latin1_General_100_BIN2 as queue, convert(varbinary(800), j.ordering_key) as ordering_key from openjson(@keys) with (queue nvarchar(128) '$[0]', ordering_key nvarchar(400) '$[1]') as j) as k cross apply (select top (1) m.id from tasks m with (readcommittedlock) where m.queue = k.queue and m.ordering_key = k.ordering_key and m.ordering_key is not null
    and m.state in (3, 7)
    order by m.due_at, m.id) as f
inner loop join tasks t with (rowlock, forceseek) on t.id = f.id
where t.state in (3, 7) and t.blocked = 1 and not exists (select h.id from tasks h with (readcommittedlock) where h.queue = k.queue and h.ordering_key = k.ordering_key and h.ordering_key is not null and h.blocked = 0 and h.state in (3, 4, 7));
select count_big(*) from (select j.queue collate Latin1_General_100_BIN2 as queue, convert(varbinary(800), j.ordering_key) as ordering_key from openjson(@keys) with (queue nvarchar(128) '$[0]', ordering_key nvarchar(400) '$[1]') as j) as k
cross apply (select top (1) m.id from tasks m with (readcommittedlock) where m.queue = k.queue and m.ordering_key = k.ordering_key and m.ordering_key is not null
    and m.state in (3, 7)
    order by m.due_at, m.id) as f where not exists (select h.id from tasks h with (readcommittedlock) where h.queue = k.queue and h.ordering_key = k.ordering_key and h.ordering_key is not null and h.blocked = 0 and h.state in (3, 4, 7));

-- PurgeSql(@queue NVarChar 128 0, @now DateTime2 0 6, @before DateTime2 0 6, @max Int 0 0)
set xact_abort on;
declare @found table (id binary(16) primary key);
declare @gone table (id binary(16) primary key, dead bit, ordering_key nvarchar(400));
insert into @found select top (@max) id from (select distinct id from (select t.id from tasks t where t.queue = @queue and t.state in (3, 7) and t.blocked = 0 and t.created_at < @before union all select t.id from tasks t where t.queue = @queue and t.ordering_key is not null and t.state in (3, 7) and t.created_at < @before union all select t.id from tasks t where t.queue = @queue and t.state = 4 and t.created_at < @before union all select t.id from tasks t where t.queue = @queue and t.dead = 1 and t.created_at < @before) as m) as d;
insert into @found select top (@max - (select count(*) from @found)) id from (select distinct id from (select t.id from tasks t where t.queue = @queue and t.state in (3, 7) and t.blocked = 0 and t.created_at < @before union all select t.id from tasks t where t.queue = @queue and t.ordering_key is not null and t.state in (3, 7) and t.created_at < @before union all select t.id from tasks t where t.queue = @queue and t.state = 4 and t.created_at < @before union all select t.id from tasks t where t.queue = @queue and t.dead = 1 and t.created_at < @before) as m) as d
    where id not in (select id from @found);
declare @bucket int = -1, @granted int, @resource nvarchar(255);
declare @buckets table (bucket int primary key);
insert into @buckets select distinct binary_checksum(cast(k.queue as varbinary(256)), k.ordering_key) & 1048575 from @found f inner loop join tasks k with (rowlock, forceseek) on k.id = f.id where k.ordering_key is not null;
while 1 = 1
begin
    set @bucket = (select min(bucket) from @buckets where bucket > @bucket);
    if @bucket is null break;
    set @resource = concat(N'taskqueue:ordering-key:', @bucket);
    exec @granted = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Transaction';
    if @granted < 0 throw 51205, 'a lock was not granted', 1;
end;
insert into @gone select t.id, t.dead, cast(t.ordering_key as nvarchar(400)) as ordering_key from (select top (2147483647) id from @found order by id) as i inner loop join tasks t with (updlock, rowlock, forceseek) on t.id = i.id
where (t.state in (3, 4, 7) or t.dead = 1) order by i.id option (force order, maxdop 1);
update t set delete_at = @now, dead = 0 from @gone g inner loop join tasks t with (rowlock, forceseek) on t.id = g.id where g.dead = 1;
update t set state = 8, finished_at = @now, delete_at = case when t.batch_id is null
    then @now end, lease_until = null, dispatch_at = null,
    blocked = 0, limited = 0
from @gone g inner loop join tasks t with (rowlock, forceseek) on t.id = g.id where g.dead = 0;
select f.id, g.dead, g.ordering_key from @found f left join @gone g on g.id = f.id;

-- ReadEventsSql(@cursors NVarChar -1 0, @max Int 0 0)
declare @end bigint = cast(ident_current(N'task_events') as bigint);
select e.stream, e.id, e.task_id, e.type, e.queue, e.tier, e.attempt, e.worker, left(e.error, 1000), e.at, e.due_at, e.dispatch,
    e.frees
from (select j.id, j.cursor_at from openjson(@cursors) with (id int '$[0]', cursor_at bigint '$[1]') as j) as s
cross apply (select top (@max) * from task_events e where e.stream = s.id and e.id > s.cursor_at and e.id <= @end
    order by e.id) as e
order by e.id

-- ReadForDispatchSql(@ids NVarChar -1 0, @max_octets BigInt 0 0)
with sized as (
    select t.id, (datalength(t.payload) + coalesce(datalength(t.headers), 0)) / 2 as octets
    from (select convert(binary(16), j.id, 2) as id from openjson(@ids) with (id char(32) '$[0]') as j) as k inner loop join tasks t with (rowlock, forceseek) on t.id = k.id
        where t.state in (3, 7)),
summed as (
    select s.id, s.octets, sum(s.octets) over (order by s.id rows unbounded preceding) as octets_so_far from sized s)
select t.id, t.state, t.queue, t.tier, t.priority, t.push, cast(t.name as nvarchar(400)) as name, cast(t.dedupe_key as nvarchar(400)) as dedupe_key, cast(t.ordering_key as nvarchar(400)) as ordering_key, t.blocked, t.payload, t.headers, t.result, t.error, t.attempt, t.attempts_left, t.max_attempts, t.retry, t.default_lease_ms, t.lease_ms, t.lease_until, t.worker, t.claimed_by, t.created_at, t.due_at, t.expires_at, t.started_at, t.finished_at, t.limited, t.dead, t.delete_at, t.dispatch_at, t.ending, t.batch_id, cast(t.owner as nvarchar(400)) as owner, t.progress from summed f inner loop join tasks t with (rowlock, forceseek) on t.id = f.id
where f.octets_so_far <= @max_octets or f.octets_so_far = f.octets order by t.id

-- RearmSql(@queue NVarChar 128 0, @now DateTime2 0 6)
set xact_abort on;
declare @found table (id binary(16) primary key);
declare @locked table (id binary(16) primary key);
begin transaction;
insert into @found select distinct t.id from tasks t where t.queue = @queue and t.state in (3, 7) and t.blocked = 0 and t.push = 1 and t.dispatch_at is null;
insert into @locked select t.id from (select top (2147483647) id from @found order by id) as i inner loop join tasks t with (updlock, rowlock, forceseek) on t.id = i.id
where t.state in (3, 7) and t.blocked = 0 and t.push = 1 and t.dispatch_at is null order by i.id option (force order, maxdop 1);
update t set dispatch_at = case when due_at > @now then due_at else @now end from @locked l inner loop join tasks t with (rowlock, forceseek) on t.id = l.id;
commit;

-- RedispatchSql(@now DateTime2 0 6)
set xact_abort on;
declare @found table (id binary(16) primary key);
declare @locked table (id binary(16) primary key);
begin transaction;
insert into @found select distinct t.id from tasks t where t.dispatch_at is not null;
insert into @locked select t.id from (select top (2147483647) id from @found order by id) as i inner loop join tasks t with (updlock, rowlock, forceseek) on t.id = i.id
where t.dispatch_at is not null order by i.id option (force order, maxdop 1);
update t set dispatch_at = case when due_at > @now then due_at else @now end from @locked l inner loop join tasks t with (rowlock, forceseek) on t.id = l.id;
commit;

-- RemoveCallbacksSql(@before DateTime2 0 6, @max Int 0 0)
set nocount off;
delete c from (
    select top (@max) id from callbacks with (updlock, readpast, rowlock, readcommittedlock) where finished_at is not null and finished_at < @before
        order by finished_at) as f
inner loop join callbacks c with (rowlock, forceseek) on c.id = f.id

-- RemoveSql(@now DateTime2 0 6, @max Int 0 0)
set xact_abort on;
declare @gone table (id binary(16) primary key, queue nvarchar(128), dead bit);
insert into @gone
select top (@max) t.id, t.queue, t.dead from tasks t with (updlock, readpast, rowlock, readcommittedlock)
where t.delete_at is not null and t.delete_at <= @now
  and not exists (select 1 from task_events e join event_streams s on s.id = e.stream where e.task_id = t.id and e.id > s.[cursor])
order by t.delete_at;
delete g from @gone g where exists (select 1 from task_events e join event_streams s on s.id = e.stream where e.task_id = g.id and e.id > s.[cursor]);
delete e from @gone g inner loop join task_events e on e.task_id = g.id;
delete t from @gone g inner loop join tasks t with (rowlock, forceseek) on t.id = g.id;
select queue, dead from @gone;

-- SaveCursorsSql(@cursors NVarChar -1 0)
update s set [cursor] = u.cursor_at from event_streams s join (select j.id, j.cursor_at from openjson(@cursors) with (id int '$[0]', cursor_at bigint '$[1]') as j) as u on u.id = s.id where s.[cursor] < u.cursor_at

-- SelectDispatchSql(@now DateTime2 0 6, @max Int 0 0)
select top (@max) id from tasks with (updlock, readpast, rowlock, readcommittedlock) where dispatch_at is not null and dispatch_at <= @now order by dispatch_at

-- SelectExpiredLeasesSql(@now DateTime2 0 6, @max Int 0 0)
select top (@max) id from tasks with (updlock, readpast, rowlock, readcommittedlock) where state = 4 and lease_until is not null and lease_until <= @now order by lease_until

-- SelectExpiredSql(@now DateTime2 0 6, @max Int 0 0)
select top (@max) id from tasks with (updlock, readpast, rowlock, readcommittedlock) where state in (3, 7) and expires_at is not null and expires_at <= @now order by expires_at

-- SettleCallbackSql(@id BigInt 0 0, @attempts Int 0 0, @state Int 0 0, @due DateTime2 0 6, @log NVarChar -1 0, @finished DateTime2 0 6)
update callbacks set state = @state, due_at = @due, log = @log, finished_at = @finished where id = @id and attempts = @attempts and state = 0

-- StatsSql(@queue NVarChar 128 0, @now DateTime2 0 6)
select
    (select count_big(*) from tasks where queue = @queue and state in (3, 7) and blocked = 0)
        + (select count_big(*) from tasks where queue = @queue and ordering_key is not null and state in (3, 7)
            and blocked = 1),
    (select count_big(*) from tasks where queue = @queue and state = 4),
    (select count_big(*) from tasks where queue = @queue and dead = 1 and (delete_at is null or delete_at > @now)),
    (select coalesce(sum(count), 0) from queue_counts where queue = @queue and type = 3),
    (select coalesce(sum(count), 0) from queue_counts where queue = @queue and type = 7),
    (select min(due_at) from tasks where queue = @queue and state in (3, 7) and blocked = 0 and due_at <= @now
        and (expires_at is null or expires_at > @now))

-- StrictClaimSql(@targets NVarChar -1 0, @max Int 0 0, @shares NVarChar -1 0, @now DateTime2 0 6, @due DateTime2 0 6, @retries Int 0 0, @stream Int 0 0, @silent NVarChar -1 0, @limits NVarChar -1 0, @ns BigInt 0 0, @order Int 0 0, @hold Int 0 0, @max_octets BigInt 0 0)
set xact_abort on;
declare @claimed table (id binary(16), queue nvarchar(128) collate Latin1_General_100_BIN2, tier int, attempt int,
    worker nvarchar(max));
with allowances as (
    select g.queue, case when a.running < a.tokens then a.running else a.tokens end as allowed
    from (select j.queue collate Latin1_General_100_BIN2 as queue, j.max_running, j.period_ns, j.max_tokens from openjson(@limits) with (queue nvarchar(128) '$[0]', max_running int '$[1]', period_ns bigint '$[2]', max_tokens bigint '$[3]') as j) as g inner loop join queue_limits b with (forceseek) on b.queue = g.queue
    cross apply (select case when b.bucket_base > @ns - g.max_tokens * g.period_ns then b.bucket_base
        else @ns - g.max_tokens * g.period_ns end as base) as k
    cross apply (select
        case when g.max_running = 0 then @max else g.max_running
            - (select count(*) from tasks r with (readcommittedlock) where r.queue = g.queue and r.state = 4
                and r.limited = 1) end as running,
        case when g.period_ns = 0 then @max else (@ns - k.base) / g.period_ns end as tokens) as a),
limits as (
    select q.queue, q.tier, q.ord,
        case when g.allowed is null or g.allowed > @max then @max when g.allowed < 0 then 0 else g.allowed end as allowed
    from (select j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.ord from openjson(@targets) with (queue nvarchar(128) '$[0]', tier int '$[1]', ord int '$[2]') as j) as q left join allowances g on g.queue = q.queue),
found as (
    select c.id, c.due_at, c.octets, q.queue, q.ord, p.priority, q.allowed,
        row_number() over (partition by q.ord order by p.priority desc, c.due_at, c.id) as turn
    from limits q cross join (values (4), (3), (2), (1)) as p(priority)
    cross apply (select top (case when @order = 4 and q.allowed > 1 then 1 else q.allowed end) t.id, t.due_at, (datalength(t.payload) + coalesce(datalength(t.headers), 0)) / 2 as octets
    from tasks t 
where t.queue = q.queue and t.tier = q.tier and t.priority = p.priority
  and t.state in (3, 7) and t.blocked = 0 and t.push = 0 and t.due_at <= @due
  and (t.expires_at is null or t.expires_at > @now)
order by t.due_at, t.id) as c
    where @order <> 4 or not exists (
        select 1 from queue_locks l join tasks h on h.id = l.task_id
        where l.queue = q.queue and l.tier = q.tier and l.until > @now and h.state = 4
            and h.attempt = l.attempt)),
placed as (
    select f.id, f.allowed, f.octets, row_number() over (order by case when @order = 2 then f.turn else 0 end, case when @order = 1 then 0 else f.ord end, case when @order = 1 then 0 else -f.priority end, f.due_at, f.id) as place,
        row_number() over (partition by f.queue order by case when @order = 2 then f.turn else 0 end, case when @order = 1 then 0 else f.ord end, case when @order = 1 then 0 else -f.priority end, f.due_at, f.id) as number
    from found f where @order <> 4 or f.turn = 1),
picked as (
    select top (@max) n.id, n.place, n.octets, row_number() over (order by n.place) as taken,
        sum(n.octets) over (order by n.place rows unbounded preceding) as octets_so_far
    from placed n where n.number <= n.allowed order by n.place),
due as (
    select n.id, n.place, s.share, s.worker, s.claimed_by, s.lease from picked n cross apply (select t.id from tasks t with (updlock, readpast, rowlock, forceseek) where t.id = n.id and t.state in (3, 7) and t.blocked = 0) as l
    cross apply (
        select top (1) s.share, s.worker, s.claimed_by, s.lease
        from (select j.share, j.up_to, j.worker collate Latin1_General_100_BIN2 as worker, j.claimed_by collate Latin1_General_100_BIN2 as claimed_by, j.lease from openjson(@shares) with (share int '$[0]', up_to int '$[1]', worker nvarchar(max) '$[2]', claimed_by nvarchar(128) '$[3]', lease int '$[4]') as j) as s where s.up_to >= n.taken order by s.up_to, s.share) as s
    where n.octets_so_far <= @max_octets or n.octets_so_far = n.octets)
update t
set state = 4, attempt = t.attempt + 1, worker = d.worker, claimed_by = d.claimed_by,
    attempts_left = case when @retries is null then t.attempts_left - 1 when t.tier = 0 then 0 when @retries < 0 then 100
        when @retries > t.attempt then @retries - t.attempt else 0 end,
    lease_ms = case when d.lease <> 0 then d.lease when d.lease is null then t.default_lease_ms
        when datediff_big(microsecond, @now, coalesce(t.expires_at, dateadd(day, 24, @now))) / 1000 > 2147483647 then 2147483647
        else datediff_big(microsecond, @now, coalesce(t.expires_at, dateadd(day, 24, @now))) / 1000 end,
    lease_until = case when d.lease = 0 then coalesce(t.expires_at, dateadd(day, 24, @now)) else dateadd(millisecond, coalesce(d.lease, t.default_lease_ms), @now) end,
    started_at = @now, dispatch_at = null, limited = case when exists (select 1 from (select j.queue collate Latin1_General_100_BIN2 as queue, j.max_running, j.period_ns, j.max_tokens from openjson(@limits) with (queue nvarchar(128) '$[0]', max_running int '$[1]', period_ns bigint '$[2]', max_tokens bigint '$[3]') as j) as g where g.queue = t.queue) then 1 else 0 end
output inserted.id, inserted.queue, inserted.tier, inserted.attempt, inserted.worker into @claimed
output d.share, d.place, inserted.id, inserted.state, inserted.queue, inserted.tier, inserted.priority, inserted.push, cast(inserted.name as nvarchar(400)) as name, cast(inserted.dedupe_key as nvarchar(400)) as dedupe_key, cast(inserted.ordering_key as nvarchar(400)) as ordering_key, inserted.blocked, inserted.payload, inserted.headers, inserted.result, inserted.error, inserted.attempt, inserted.attempts_left, inserted.max_attempts, inserted.retry, inserted.default_lease_ms, inserted.lease_ms, inserted.lease_until, inserted.worker, inserted.claimed_by, inserted.created_at, inserted.due_at, inserted.expires_at, inserted.started_at, inserted.finished_at, inserted.limited, inserted.dead, inserted.delete_at, inserted.dispatch_at, inserted.ending, inserted.batch_id, cast(inserted.owner as nvarchar(400)) as owner, inserted.progress
from due d inner loop join tasks t with (rowlock, forceseek) on t.id = d.id
where t.state in (3, 7) and t.blocked = 0
option (maxdop 1, optimize for (@max = 1));
if @@rowcount = 0 return;
update b set bucket_base = n.tasks * g.period_ns
    + case when b.bucket_base > @ns - g.max_tokens * g.period_ns then b.bucket_base else @ns - g.max_tokens * g.period_ns end
from (select j.queue collate Latin1_General_100_BIN2 as queue, j.max_running, j.period_ns, j.max_tokens from openjson(@limits) with (queue nvarchar(128) '$[0]', max_running int '$[1]', period_ns bigint '$[2]', max_tokens bigint '$[3]') as j) as g inner loop join queue_limits b with (rowlock, forceseek) on b.queue = g.queue
join (select queue, count(*) as tasks from @claimed group by queue) as n on n.queue = b.queue
where g.period_ns > 0;
if @order = 4
begin
    delete l from @claimed c inner loop join queue_locks l with (rowlock, forceseek) on l.queue = c.queue and l.tier = c.tier;
    insert into queue_locks (queue, tier, task_id, attempt, until)
    select queue, tier, id, attempt, dateadd(millisecond, @hold, @now) from @claimed;
end;
declare @granted int, @resource nvarchar(255) = concat(N'taskqueue:stream:', @stream);
exec @granted = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Transaction';
if @granted < 0 throw 51205, 'a lock was not granted', 1;
insert into task_events (stream, task_id, type, queue, tier, attempt, worker, at, dispatch, frees)
select @stream, id, 2, queue, tier, attempt, worker, @now, 0, 0 from @claimed
where queue not in (select queue from (select j.queue collate Latin1_General_100_BIN2 as queue from openjson(@silent) with (queue nvarchar(128) '$[0]') as j) as s);

-- TakeCallbacksSql(@now DateTime2 0 6, @given_up_at DateTime2 0 6, @max Int 0 0, @full_owners NVarChar -1 0, @full_origins NVarChar -1 0, @busy NVarChar -1 0, @per_origin Int 0 0, @per_owner Int 0 0, @unowned Int 0 0)
with ready as (
    select top (1000) c.id, c.due_at, s.owner, s.origin from callbacks c with (readpast, rowlock, readcommittedlock)
    cross apply (select coalesce(c.owner, 0x) as owner, coalesce(c.origin, N'') as origin) as s
    where c.state = 0 and c.due_at <= @now
        and s.owner not in (select f.owner from (select convert(varbinary(800), j.owner) as owner from openjson(@full_owners) with (owner nvarchar(400) '$[0]') as j) as f)
        and not exists (select 1 from (select convert(varbinary(800), j.owner) as owner, j.origin collate Latin1_General_100_BIN2 as origin from openjson(@full_origins) with (owner nvarchar(400) '$[0]', origin nvarchar(300) '$[1]') as j) as f where f.owner = s.owner
            and f.origin = s.origin)
    order by c.due_at),
placed as (
    select id, due_at, owner, origin, row_number() over (partition by owner, origin order by due_at, id) as place from ready),
open_ones as (
    select p.id, p.due_at, p.owner, row_number() over (partition by p.owner order by p.due_at, p.id)
        + (select count(*) from (select convert(varbinary(800), j.owner) as owner, j.origin collate Latin1_General_100_BIN2 as origin from openjson(@busy) with (owner nvarchar(400) '$[0]', origin nvarchar(300) '$[1]') as j) as b where b.owner = p.owner) as place
    from placed p
    where p.place <= @per_origin - (select count(*) from (select convert(varbinary(800), j.owner) as owner, j.origin collate Latin1_General_100_BIN2 as origin from openjson(@busy) with (owner nvarchar(400) '$[0]', origin nvarchar(300) '$[1]') as j) as b where b.owner = p.owner
        and b.origin = p.origin)),
fitting as (
    select top (@max) o.id from open_ones o
    where o.place <= case when o.owner = 0x then @unowned else @per_owner end
    order by o.place, o.due_at, o.id)
update c set attempts = c.attempts + 1, due_at = @given_up_at
output inserted.id, inserted.subject_id, inserted.url, inserted.body, inserted.attempts, inserted.due_at, inserted.log,
    inserted.created_at,
    cast(inserted.owner as nvarchar(400)) as owner, inserted.origin
from fitting f inner loop join callbacks c with (updlock, readpast, rowlock, forceseek) on c.id = f.id
where c.state = 0 and c.due_at <= @now

-- TakeLinesSql(@id Binary 16 0, @from Int 0 0, @to Int 0 0, @bytes BigInt 0 0)
set nocount off; update batches set lines_done = @to, bytes_done = @bytes, version = version + 1 where id = @id and lines_done = @from and state = 4

-- TakeTickSql(@id Int 0 0, @at DateTime2 0 6, @next DateTime2 0 6)
set nocount off; update schedules set next_at = @next, last_at = @at where id = @id and next_at = @at

-- UnlockSql(@queue NVarChar 128 0, @tier Int 0 0)
delete from queue_locks where queue = @queue and tier = @tier

-- UpdateSql(@rows NVarChar -1 0)
update t set state = u.state, blocked = u.blocked, result = u.result, error = u.error, attempt = u.attempt, attempts_left = u.attempts_left, lease_ms = u.lease_ms, lease_until = u.lease_until, worker = u.worker, claimed_by = u.claimed_by, due_at = u.due_at, expires_at = u.expires_at, started_at = u.started_at, finished_at = u.finished_at, limited = u.limited, dead = u.dead, delete_at = u.delete_at, dispatch_at = u.dispatch_at, progress = u.progress
from (select convert(binary(16), j.id, 2) as id, j.state, j.blocked, j.result collate Latin1_General_100_BIN2 as result, j.error collate Latin1_General_100_BIN2 as error, j.attempt, j.attempts_left, j.lease_ms, j.lease_until, j.worker collate Latin1_General_100_BIN2 as worker, j.claimed_by collate Latin1_General_100_BIN2 as claimed_by, j.due_at, j.expires_at, j.started_at, j.finished_at, j.limited, j.dead, j.delete_at, j.dispatch_at, j.progress collate Latin1_General_100_BIN2 as progress from openjson(@rows) with (id char(32) '$[0]', state int '$[1]', blocked bit '$[2]', result nvarchar(max) '$[3]', error nvarchar(max) '$[4]', attempt int '$[5]', attempts_left int '$[6]', lease_ms int '$[7]', lease_until datetime2(6) '$[8]', worker nvarchar(max) '$[9]', claimed_by nvarchar(max) '$[10]', due_at datetime2(6) '$[11]', expires_at datetime2(6) '$[12]', started_at datetime2(6) '$[13]', finished_at datetime2(6) '$[14]', limited bit '$[15]', dead bit '$[16]', delete_at datetime2(6) '$[17]', dispatch_at datetime2(6) '$[18]', progress nvarchar(max) '$[19]') as j) as u inner loop join tasks t with (rowlock, forceseek) on t.id = u.id
