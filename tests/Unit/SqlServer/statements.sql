-- AddCallbacksSql(@owed NVarChar -1 0)
insert into callbacks (subject_id, url, body, state, attempts, due_at, log, created_at, owner, origin)
select o.subject_id, o.url, o.body, 0, 0, o.at, N'[]', o.at, o.owner, o.origin
from (select convert(binary(16), j.subject_id, 2) as subject_id, j.url collate Latin1_General_100_BIN2 as url, j.body collate Latin1_General_100_BIN2 as body, j.at, convert(varbinary(800), j.owner) as owner, j.origin collate Latin1_General_100_BIN2 as origin from openjson(@owed) with (subject_id char(32) '$[0]', url nvarchar(max) '$[1]', body nvarchar(max) '$[2]', at datetime2(6) '$[3]', owner nvarchar(400) '$[4]', origin nvarchar(300) '$[5]') as j) as o

-- AddCountsSql(@rows NVarChar -1 0)
set xact_abort on;
begin transaction;
update s set
    waiting = case when r.waiting > s.waiting then r.waiting else s.waiting end,
    oldest_ms = case when s.oldest_ms is null or r.oldest_ms > s.oldest_ms then coalesce(r.oldest_ms, s.oldest_ms)
        else s.oldest_ms end,
    submitted = s.submitted + r.submitted, started = s.started + r.started, completed = s.completed + r.completed, failed = s.failed + r.failed, retried = s.retried + r.retried, cancelled = s.cancelled + r.cancelled, expired = s.expired + r.expired, runs = s.runs + r.runs, run_micros = s.run_micros + r.run_micros, b0 = s.b0 + r.b0, b1 = s.b1 + r.b1, b2 = s.b2 + r.b2, b3 = s.b3 + r.b3, b4 = s.b4 + r.b4, b5 = s.b5 + r.b5, b6 = s.b6 + r.b6, b7 = s.b7 + r.b7, b8 = s.b8 + r.b8, b9 = s.b9 + r.b9, b10 = s.b10 + r.b10, b11 = s.b11 + r.b11, b12 = s.b12 + r.b12, b13 = s.b13 + r.b13, b14 = s.b14 + r.b14, b15 = s.b15 + r.b15, b16 = s.b16 + r.b16, b17 = s.b17 + r.b17, b18 = s.b18 + r.b18, b19 = s.b19 + r.b19, b20 = s.b20 + r.b20, b21 = s.b21 + r.b21
from (select j.at, j.queue collate Latin1_General_100_BIN2 as queue, convert(varbinary(800), j.owner) as owner, j.waiting, j.oldest_ms, j.submitted, j.started, j.completed, j.failed, j.retried, j.cancelled, j.expired, j.runs, j.run_micros, j.b0, j.b1, j.b2, j.b3, j.b4, j.b5, j.b6, j.b7, j.b8, j.b9, j.b10, j.b11, j.b12, j.b13, j.b14, j.b15, j.b16, j.b17, j.b18, j.b19, j.b20, j.b21 from openjson(@rows) with (at datetime2(6) '$[0]', queue nvarchar(128) '$[1]', owner nvarchar(400) '$[2]', waiting bigint '$[3]', oldest_ms bigint '$[4]', submitted bigint '$[5]', started bigint '$[6]', completed bigint '$[7]', failed bigint '$[8]', retried bigint '$[9]', cancelled bigint '$[10]', expired bigint '$[11]', runs bigint '$[12]', run_micros bigint '$[13]', b0 bigint '$[14]', b1 bigint '$[15]', b2 bigint '$[16]', b3 bigint '$[17]', b4 bigint '$[18]', b5 bigint '$[19]', b6 bigint '$[20]', b7 bigint '$[21]', b8 bigint '$[22]', b9 bigint '$[23]', b10 bigint '$[24]', b11 bigint '$[25]', b12 bigint '$[26]', b13 bigint '$[27]', b14 bigint '$[28]', b15 bigint '$[29]', b16 bigint '$[30]', b17 bigint '$[31]', b18 bigint '$[32]', b19 bigint '$[33]', b20 bigint '$[34]', b21 bigint '$[35]') as j) as r inner loop join queue_statistics s with (updlock, holdlock, rowlock, forceseek)
    on s.step = 0 and s.at = r.at and s.queue = r.queue and s.owner = r.owner;
insert into queue_statistics (step, at, queue, owner, waiting, oldest_ms, submitted, started, completed, failed, retried, cancelled, expired, runs, run_micros, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, b16, b17, b18, b19, b20, b21)
select 0, r.at, r.queue, r.owner, r.waiting, r.oldest_ms, r.submitted, r.started, r.completed, r.failed, r.retried, r.cancelled, r.expired, r.runs, r.run_micros, r.b0, r.b1, r.b2, r.b3, r.b4, r.b5, r.b6, r.b7, r.b8, r.b9, r.b10, r.b11, r.b12, r.b13, r.b14, r.b15, r.b16, r.b17, r.b18, r.b19, r.b20, r.b21
from (select j.at, j.queue collate Latin1_General_100_BIN2 as queue, convert(varbinary(800), j.owner) as owner, j.waiting, j.oldest_ms, j.submitted, j.started, j.completed, j.failed, j.retried, j.cancelled, j.expired, j.runs, j.run_micros, j.b0, j.b1, j.b2, j.b3, j.b4, j.b5, j.b6, j.b7, j.b8, j.b9, j.b10, j.b11, j.b12, j.b13, j.b14, j.b15, j.b16, j.b17, j.b18, j.b19, j.b20, j.b21 from openjson(@rows) with (at datetime2(6) '$[0]', queue nvarchar(128) '$[1]', owner nvarchar(400) '$[2]', waiting bigint '$[3]', oldest_ms bigint '$[4]', submitted bigint '$[5]', started bigint '$[6]', completed bigint '$[7]', failed bigint '$[8]', retried bigint '$[9]', cancelled bigint '$[10]', expired bigint '$[11]', runs bigint '$[12]', run_micros bigint '$[13]', b0 bigint '$[14]', b1 bigint '$[15]', b2 bigint '$[16]', b3 bigint '$[17]', b4 bigint '$[18]', b5 bigint '$[19]', b6 bigint '$[20]', b7 bigint '$[21]', b8 bigint '$[22]', b9 bigint '$[23]', b10 bigint '$[24]', b11 bigint '$[25]', b12 bigint '$[26]', b13 bigint '$[27]', b14 bigint '$[28]', b15 bigint '$[29]', b16 bigint '$[30]', b17 bigint '$[31]', b18 bigint '$[32]', b19 bigint '$[33]', b20 bigint '$[34]', b21 bigint '$[35]') as j) as r
where not exists (select 1 from queue_statistics k with (updlock, holdlock, rowlock)
    where k.step = 0 and k.at = r.at and k.queue = r.queue and k.owner = r.owner);
commit;

-- AddHistorySql(@rows NVarChar -1 0)
insert into attempts (task_id, attempt, type, started_at, ended_at, due_at, resumed_at, worker, error)
select a.task_id, a.attempt, a.type, a.started_at, a.ended_at, a.due_at, a.resumed_at, a.worker, a.error
from (select convert(binary(16), j.task_id, 2) as task_id, j.attempt, j.type, j.started_at, j.ended_at, j.due_at, j.resumed_at, j.worker collate Latin1_General_100_BIN2 as worker, j.error collate Latin1_General_100_BIN2 as error, j.ord from openjson(@rows) with (task_id char(32) '$[0]', attempt int '$[1]', type int '$[2]', started_at datetime2(6) '$[3]', ended_at datetime2(6) '$[4]', due_at datetime2(6) '$[5]', resumed_at datetime2(6) '$[6]', worker nvarchar(max) '$[7]', error nvarchar(max) '$[8]', ord int '$[9]') as j) as a
order by a.ord

-- AddLimitSql(@queue NVarChar 128 0)
insert into queue_limits (queue, bucket_base) select @queue, 0 where not exists (select 1 from queue_limits where queue = @queue)

-- AddLogsSql(@rows NVarChar -1 0)
insert into task_logs (task_id, number, lines, bytes_before, bytes, attempt, entries)
select r.task_id, r.number, r.lines, r.bytes_before, r.bytes, r.attempt, r.entries
from (select convert(binary(16), j.task_id, 2) as task_id, j.number, j.lines, j.bytes_before, j.bytes, j.attempt, j.entries collate Latin1_General_100_BIN2 as entries from openjson(@rows) with (task_id char(32) '$[0]', number int '$[1]', lines int '$[2]', bytes_before bigint '$[3]', bytes int '$[4]', attempt int '$[5]', entries nvarchar(max) '$[6]') as j) as r
order by r.task_id, r.number

-- AdoptSql(@queue NVarChar 128 0)
set xact_abort on;
declare @found table (id binary(16) primary key);
declare @locked table (id binary(16) primary key);
begin transaction;
insert into @found select t.id from ready t where t.queue = @queue and t.blocked = 0 and t.push = 0 union select t.id from ready t where t.queue = @queue and t.ordering_key is not null and t.blocked = 1 and t.push = 0;
insert into @locked select t.id from (select top (2147483647) id from @found order by id) as i
inner loop join ready t with (updlock, rowlock, forceseek) on t.id = i.id
where t.push = 0 order by i.id option (force order, maxdop 1);
update r set push = 1, dispatch_at = due_at, ordering_key = null, blocked = 0 from @locked l inner loop join ready r with (rowlock, forceseek) on r.id = l.id;
update c set push = 1, ordering_key = null from @locked l inner loop join tasks c with (rowlock, forceseek) on c.id = l.id;
commit;

-- AppendSql(@partition Int 0 0, @events NVarChar -1 0)
set xact_abort on;
declare @granted int, @resource nvarchar(255) = concat(N'taskqueue:partition:', @partition);
exec @granted = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Transaction';
if @granted < 0 throw 51205, 'a lock was not granted', 1;
insert into outbox (partition_id, at, type, queue, tier, worker, dispatch, frees, ids, attempts, earlier, due_times, errors)
select @partition, e.at, e.type, e.queue, e.tier, e.worker, e.dispatch, e.frees, e.ids, e.attempts, e.earlier, e.due_times, e.errors
from (select j.at, j.type, j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.worker collate Latin1_General_100_BIN2 as worker, j.dispatch, j.frees, j.ids collate Latin1_General_100_BIN2 as ids, j.attempts collate Latin1_General_100_BIN2 as attempts, j.earlier collate Latin1_General_100_BIN2 as earlier, j.due_times collate Latin1_General_100_BIN2 as due_times, j.errors collate Latin1_General_100_BIN2 as errors, j.ord from openjson(@events) with (at datetime2(6) '$[0]', type int '$[1]', queue nvarchar(128) '$[2]', tier int '$[3]', worker nvarchar(max) '$[4]', dispatch bit '$[5]', frees bit '$[6]', ids nvarchar(max) '$[7]', attempts nvarchar(max) '$[8]', earlier nvarchar(max) '$[9]', due_times nvarchar(max) '$[10]', errors nvarchar(max) '$[11]', ord int '$[12]') as j) as e
order by e.ord;

-- BacklogSql(@now DateTime2 0 6)
select queue, tier, sum(due), sum(later), sum(blocked), sum(running), min(oldest)
from (
    select queue, tier, count_big(case when due_at <= @now then 1 end) as due, count_big(case when due_at > @now
        then 1 end) as later,
        cast(0 as bigint) as blocked, cast(0 as bigint) as running, min(case when due_at <= @now then due_at end) as oldest
    from ready where blocked = 0 group by queue, tier
    union all
    select queue, tier, 0, 0, count_big(*), 0, null from ready where ordering_key is not null and blocked = 1 group by queue, tier
    union all
    select queue, tier, 0, 0, 0, count_big(*), null from running group by queue, tier) as parts
group by queue, tier

-- BadLinesSql(@id Binary 16 0, @lines NVarChar -1 0)
insert into batch_bad_lines (batch_id, line, custom_id, code, message)
select @id, l.line, l.custom_id, l.code, l.message
from (select j.line, j.custom_id collate Latin1_General_100_BIN2 as custom_id, j.code collate Latin1_General_100_BIN2 as code, j.message collate Latin1_General_100_BIN2 as message from openjson(@lines) with (line int '$[0]', custom_id nvarchar(max) '$[1]', code nvarchar(64) '$[2]', message nvarchar(max) '$[3]') as j) as l

-- ChangeKeysSql(@rows NVarChar -1 0)
update d set queue = u.queue
from (select j.former collate Latin1_General_100_BIN2 as former, convert(varbinary(800), j.dedupe_key) as dedupe_key, convert(binary(16), j.id, 2) as id, j.queue collate Latin1_General_100_BIN2 as queue from openjson(@rows) with (former nvarchar(128) '$[0]', dedupe_key nvarchar(400) '$[1]', id char(32) '$[2]', queue nvarchar(128) '$[3]') as j) as u
inner loop join dedupe_keys d with (rowlock, forceseek) on d.queue = u.former and d.dedupe_key = u.dedupe_key
where d.task_id = u.id

-- ChangePayloadsSql(@rows NVarChar -1 0)
set xact_abort on;
update t set payload = u.payload
from (select convert(binary(16), j.id, 2) as id, j.payload collate Latin1_General_100_BIN2 as payload from openjson(@rows) with (id char(32) '$[0]', payload nvarchar(max) '$[1]') as j) as u inner loop join tasks t with (rowlock, forceseek) on t.id = u.id;
update r set octets = cast((datalength(t.payload) + coalesce(datalength(t.headers), 0)) / 2 as int)
from (select convert(binary(16), j.id, 2) as id from openjson(@rows) with (id char(32) '$[0]') as j) as u inner loop join tasks t with (rowlock, forceseek) on t.id = u.id
inner loop join ready r with (rowlock, forceseek) on r.id = u.id;

-- ChangeQueuesSql(@rows NVarChar -1 0)
set xact_abort on;
update r set queue = u.queue, push = u.push from (select convert(binary(16), j.id, 2) as id, j.queue collate Latin1_General_100_BIN2 as queue, j.push from openjson(@rows) with (id char(32) '$[0]', queue nvarchar(128) '$[1]', push bit '$[2]') as j) as u inner loop join ready r with (rowlock, forceseek) on r.id = u.id;
update k set queue = u.queue
from (select convert(binary(16), j.id, 2) as id, j.queue collate Latin1_General_100_BIN2 as queue, j.push from openjson(@rows) with (id char(32) '$[0]', queue nvarchar(128) '$[1]', push bit '$[2]') as j) as u inner loop join tasks t with (rowlock, forceseek) on t.id = u.id and t.tags is not null
cross apply openjson(concat(N'["', replace(string_escape(t.tags, 'json'), N',', N'","'), N'"]'))
    with (tag nvarchar(64) '$') as s
inner loop join task_tags k with (rowlock, forceseek) on k.tag = s.tag collate Latin1_General_100_BIN2 and k.task_id = u.id;
update t set queue = u.queue, push = u.push from (select convert(binary(16), j.id, 2) as id, j.queue collate Latin1_General_100_BIN2 as queue, j.push from openjson(@rows) with (id char(32) '$[0]', queue nvarchar(128) '$[1]', push bit '$[2]') as j) as u inner loop join tasks t with (rowlock, forceseek) on t.id = u.id;

-- ClaimSql(@targets NVarChar -1 0, @max Int 0 0, @worker NVarChar 4000 0, @claimed_by NVarChar 4000 0, @lease Int 0 0, @now DateTime2 0 6, @due DateTime2 0 6, @retries Int 0 0, @max_octets BigInt 0 0)
set xact_abort on;
declare @taken table (id binary(16), queue nvarchar(128) collate Latin1_General_100_BIN2, tier int, priority int, push bit, name varbinary(800), dedupe_key varbinary(800), ordering_key varbinary(800), error nvarchar(max) collate Latin1_General_100_BIN2, attempt int, attempts_left int, max_attempts int, retry nvarchar(max) collate Latin1_General_100_BIN2, default_lease_ms int, lease_ms int, worker nvarchar(max) collate Latin1_General_100_BIN2, claimed_by nvarchar(max) collate Latin1_General_100_BIN2, created_at datetime2(6), due_at datetime2(6), expires_at datetime2(6), started_at datetime2(6), ending nvarchar(max) collate Latin1_General_100_BIN2, batch_id binary(16), owner varbinary(800), progress nvarchar(max) collate Latin1_General_100_BIN2, octets int, crashes int,
    place bigint, share int, new_worker nvarchar(max) collate Latin1_General_100_BIN2, new_claimed_by nvarchar(max) collate Latin1_General_100_BIN2,
    new_lease int);
with found as (
    select top (@max) c.id, c.octets, row_number() over (order by q.ord, p.priority desc, c.due_at, c.created_at, c.id) as place
    from (select j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.ord from openjson(@targets) with (queue nvarchar(128) '$[0]', tier int '$[1]', ord int '$[2]') as j) as q cross join (values (4), (3), (2), (1)) as p(priority)
    cross apply (select top (@max) r.id, r.due_at, r.created_at, cast(r.octets as bigint) as octets from ready r with (updlock, readpast, rowlock, readcommittedlock)
where r.queue = q.queue and r.tier = q.tier and r.priority = p.priority and r.blocked = 0 and r.push = 0 and r.due_at <= @due
  and (r.expires_at is null or r.expires_at > @now)
order by r.due_at, r.created_at, r.id) as c
    order by place),
summed as (
    select f.id, f.place, f.octets, sum(f.octets) over (order by f.place rows unbounded preceding) as octets_so_far
        from found f),
due as (
    select s.id, s.place, 0 as share, @worker as worker, @claimed_by as claimed_by, @lease as lease from summed s
        where s.octets_so_far <= @max_octets or s.octets_so_far = s.octets)
delete r
output deleted.id, deleted.queue, deleted.tier, deleted.priority, deleted.push, deleted.name, deleted.dedupe_key, deleted.ordering_key, deleted.error, deleted.attempt, deleted.attempts_left, deleted.max_attempts, deleted.retry, deleted.default_lease_ms, deleted.lease_ms, deleted.worker, deleted.claimed_by, deleted.created_at, deleted.due_at, deleted.expires_at, deleted.started_at, deleted.ending, deleted.batch_id, deleted.owner, deleted.progress, deleted.octets, deleted.crashes, d.place, d.share, d.worker, d.claimed_by, d.lease into @taken
from due d inner loop join ready r with (rowlock, forceseek) on r.id = d.id
where r.blocked = 0
option (maxdop 1, optimize for (@max = 1));
if @@rowcount = 0 return;
insert into running (id, queue, tier, priority, push, name, dedupe_key, ordering_key, error, attempt, attempts_left, max_attempts, retry, default_lease_ms, lease_ms, lease_until, worker, claimed_by, created_at, due_at, expires_at, started_at, limited, ending, batch_id, owner, progress, octets, crashes)
select t.id, t.queue, t.tier, t.priority, t.push, t.name, t.dedupe_key, t.ordering_key, t.error, t.attempt + 1, case when @retries is null then t.attempts_left - 1 when t.tier = 0 then 0 when @retries < 0 then 100 when @retries > t.attempt then @retries - t.attempt else 0 end, t.max_attempts, t.retry, t.default_lease_ms, case when t.new_lease <> 0 then t.new_lease when t.new_lease is null then t.default_lease_ms when datediff_big(microsecond, @now, coalesce(t.expires_at, dateadd(day, 24, @now))) / 1000 > 2147483647 then 2147483647 else datediff_big(microsecond, @now, coalesce(t.expires_at, dateadd(day, 24, @now))) / 1000 end, case when t.new_lease = 0 then coalesce(t.expires_at, dateadd(day, 24, @now)) else dateadd(millisecond, coalesce(t.new_lease, t.default_lease_ms), @now) end, t.new_worker, t.new_claimed_by, t.created_at, t.due_at, t.expires_at, @now, 0, t.ending, t.batch_id, t.owner, t.progress, t.octets, t.crashes from @taken t;
select k.share, k.place, r.id, 4 as state, r.queue, r.tier, r.priority, r.push, cast(r.name as nvarchar(400)) as name, cast(r.dedupe_key as nvarchar(400)) as dedupe_key, cast(r.ordering_key as nvarchar(400)) as ordering_key, cast(0 as bit) as blocked, t.payload, t.headers, r.attempt, r.attempts_left, r.max_attempts, r.retry, r.default_lease_ms, r.lease_ms, r.lease_until, r.worker, r.claimed_by, r.created_at, r.due_at, r.expires_at, r.started_at, cast(null as datetime2(6)) as finished_at, r.limited, cast(0 as bit) as dead, cast(null as datetime2(6)) as delete_at, cast(null as datetime2(6)) as dispatch_at, r.ending, r.batch_id, cast(r.owner as nvarchar(400)) as owner, t.tags, t.schedule_id, r.progress
from @taken k inner loop join running r with (rowlock, forceseek) on r.id = k.id inner loop join tasks t with (rowlock, forceseek) on t.id = r.id;

-- CountItemsSql(@partition Int 0 0, @rows NVarChar -1 0)
set xact_abort on;
declare @counts table (batch_id binary(16), line_end int, count int, primary key (batch_id, line_end));
insert into @counts select batch_id, line_end, count
    from (select convert(binary(16), j.batch_id, 2) as batch_id, j.line_end, j.count from openjson(@rows) with (batch_id char(32) '$[0]', line_end int '$[1]', count int '$[2]') as j) as r;
update c set count = c.count + n.count from @counts n
inner loop join batch_counts c with (rowlock, forceseek) on c.batch_id = n.batch_id and c.partition_id = @partition and c.line_end = n.line_end;
insert into batch_counts (batch_id, partition_id, line_end, count)
select n.batch_id, @partition, n.line_end, n.count from @counts n
where not exists (select 1 from batch_counts c with (forceseek) where c.batch_id = n.batch_id and c.partition_id = @partition
    and c.line_end = n.line_end);

-- CountSql(@partition Int 0 0, @rows NVarChar -1 0)
set xact_abort on;
declare @counts table (queue nvarchar(128) collate Latin1_General_100_BIN2, tier int, type int,
    owner varbinary(800), count bigint, primary key (queue, tier, type, owner));
insert into @counts select queue, tier, type, owner, count
    from (select j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.type, convert(varbinary(800), j.owner) as owner, j.count from openjson(@rows) with (queue nvarchar(128) '$[0]', tier int '$[1]', type int '$[2]', owner nvarchar(400) '$[3]', count bigint '$[4]') as j) as r;
update c set count = c.count + n.count from @counts n
inner loop join queue_counts c with (rowlock, forceseek) on c.queue = n.queue and c.tier = n.tier and c.partition_id = @partition
    and c.type = n.type and c.owner = n.owner;
insert into queue_counts (queue, tier, partition_id, type, owner, count)
select n.queue, n.tier, @partition, n.type, n.owner, n.count from @counts n
where not exists (select 1 from queue_counts c with (forceseek) where c.queue = n.queue and c.tier = n.tier
    and c.partition_id = @partition and c.type = n.type and c.owner = n.owner);

-- EndOfEventsSql()
declare @end bigint = cast(ident_current(N'outbox') as bigint);
select s.id, coalesce((select max(o.id) from outbox o where o.partition_id = s.id and o.id <= @end), s.published_to)
from outbox_partitions s

-- EndReadySql(@ids NVarChar -1 0, @rows NVarChar -1 0)
set xact_abort on;
delete r from (select convert(binary(16), j.id, 2) as id from openjson(@ids) with (id char(32) '$[0]') as j) as k inner loop join ready r with (rowlock, forceseek) on r.id = k.id;
insert into outcomes (id, state, queue, tier, result, error, attempt, attempts_left, lease_ms, worker, claimed_by, due_at, expires_at, started_at, finished_at, dead, delete_at, owner, progress)
select u.id, u.state, u.queue, u.tier, u.result, u.error, u.attempt, u.attempts_left, u.lease_ms, u.worker, u.claimed_by, u.due_at, u.expires_at, u.started_at, u.finished_at, u.dead, u.delete_at, u.owner, u.progress from (select convert(binary(16), j.id, 2) as id, j.state, j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.result collate Latin1_General_100_BIN2 as result, j.error collate Latin1_General_100_BIN2 as error, j.attempt, j.attempts_left, j.lease_ms, j.worker collate Latin1_General_100_BIN2 as worker, j.claimed_by collate Latin1_General_100_BIN2 as claimed_by, j.due_at, j.expires_at, j.started_at, j.finished_at, j.dead, j.delete_at, convert(varbinary(800), j.owner) as owner, j.progress collate Latin1_General_100_BIN2 as progress from openjson(@rows) with (id char(32) '$[0]', state int '$[1]', queue nvarchar(128) '$[2]', tier int '$[3]', result nvarchar(max) '$[4]', error nvarchar(max) '$[5]', attempt int '$[6]', attempts_left int '$[7]', lease_ms int '$[8]', worker nvarchar(max) '$[9]', claimed_by nvarchar(max) '$[10]', due_at datetime2(6) '$[11]', expires_at datetime2(6) '$[12]', started_at datetime2(6) '$[13]', finished_at datetime2(6) '$[14]', dead bit '$[15]', delete_at datetime2(6) '$[16]', owner nvarchar(400) '$[17]', progress nvarchar(max) '$[18]') as j) as u order by u.id;

-- EndSql(@ids NVarChar -1 0, @rows NVarChar -1 0)
set xact_abort on;
delete r from (select convert(binary(16), j.id, 2) as id from openjson(@ids) with (id char(32) '$[0]') as j) as k inner loop join running r with (rowlock, forceseek) on r.id = k.id;
insert into outcomes (id, state, queue, tier, result, error, attempt, attempts_left, lease_ms, worker, claimed_by, due_at, expires_at, started_at, finished_at, dead, delete_at, owner, progress)
select u.id, u.state, u.queue, u.tier, u.result, u.error, u.attempt, u.attempts_left, u.lease_ms, u.worker, u.claimed_by, u.due_at, u.expires_at, u.started_at, u.finished_at, u.dead, u.delete_at, u.owner, u.progress from (select convert(binary(16), j.id, 2) as id, j.state, j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.result collate Latin1_General_100_BIN2 as result, j.error collate Latin1_General_100_BIN2 as error, j.attempt, j.attempts_left, j.lease_ms, j.worker collate Latin1_General_100_BIN2 as worker, j.claimed_by collate Latin1_General_100_BIN2 as claimed_by, j.due_at, j.expires_at, j.started_at, j.finished_at, j.dead, j.delete_at, convert(varbinary(800), j.owner) as owner, j.progress collate Latin1_General_100_BIN2 as progress from openjson(@rows) with (id char(32) '$[0]', state int '$[1]', queue nvarchar(128) '$[2]', tier int '$[3]', result nvarchar(max) '$[4]', error nvarchar(max) '$[5]', attempt int '$[6]', attempts_left int '$[7]', lease_ms int '$[8]', worker nvarchar(max) '$[9]', claimed_by nvarchar(max) '$[10]', due_at datetime2(6) '$[11]', expires_at datetime2(6) '$[12]', started_at datetime2(6) '$[13]', finished_at datetime2(6) '$[14]', dead bit '$[15]', delete_at datetime2(6) '$[16]', owner nvarchar(400) '$[17]', progress nvarchar(max) '$[18]') as j) as u order by u.id;

-- EvictSql(@queue NVarChar 128 0, @max Int 0 0, @now DateTime2 0 6)
set xact_abort on;
declare @old table (id binary(16) primary key);
insert into @old
select id from outcomes with (readcommittedlock) where queue = @queue and dead = 1 and delete_at > @now
    order by finished_at desc, id desc offset @max rows;
update t set delete_at = @now, dead = 0 from @old o inner loop join outcomes t with (rowlock, forceseek) on t.id = o.id where t.dead = 1;

-- ExistingSql(@ids NVarChar -1 0)
select t.id, cast(t.owner as nvarchar(400)) as owner, o.delete_at from (select convert(binary(16), j.id, 2) as id from openjson(@ids) with (id char(32) '$[0]') as j) as k
inner loop join tasks t with (rowlock, forceseek) on t.id = k.id left loop join outcomes o with (rowlock, forceseek) on o.id = t.id

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
insert into @found select t.id from ready t
where t.due_at > @now and (t.started_at > @now or t.due_at <= t.created_at);
insert into @locked select t.id from (select top (2147483647) id from @found order by id) as i
inner loop join ready t with (updlock, rowlock, forceseek) on t.id = i.id
where t.due_at > @now order by i.id option (force order, maxdop 1);
update r set due_at = case when started_at > @now and due_at > started_at then dateadd(microsecond,
    datediff_big(microsecond, started_at, due_at) % 1000000,
    dateadd(second, datediff_big(microsecond, started_at, due_at) / 1000000, @now)) else @now end, dispatch_at = case when dispatch_at is not null then case when started_at > @now and due_at > started_at then dateadd(microsecond,
    datediff_big(microsecond, started_at, due_at) % 1000000,
    dateadd(second, datediff_big(microsecond, started_at, due_at) / 1000000, @now)) else @now end end,
started_at = case when started_at > @now then @now else started_at end from @locked l inner loop join ready r with (rowlock, forceseek) on r.id = l.id;
commit;

-- FollowLeasesSql(@now DateTime2 0 6)
set xact_abort on;
declare @found table (id binary(16) primary key);
declare @locked table (id binary(16) primary key);
begin transaction;
insert into @found select t.id from running t
where (t.lease_until <> t.expires_at or (t.lease_until is null and t.expires_at is not null)
    or (t.lease_until is not null and t.expires_at is null))
  and (t.lease_until <= @now or t.lease_until > dateadd(millisecond, t.lease_ms, @now));
insert into @locked select t.id from (select top (2147483647) id from @found order by id) as i
inner loop join running t with (updlock, rowlock, forceseek) on t.id = i.id
order by i.id option (force order, maxdop 1);
update r set lease_until = dateadd(millisecond, lease_ms, @now) from @locked l inner loop join running r with (rowlock, forceseek) on r.id = l.id;
commit;

-- ForgetCountsSql(@queue NVarChar 128 0)
delete from queue_counts where queue = @queue

-- HoldKeysSql(@keys NVarChar -1 0)
insert into dedupe_keys (queue, dedupe_key, task_id)
select k.queue, k.dedupe_key, k.id from (select j.queue collate Latin1_General_100_BIN2 as queue, convert(varbinary(800), j.dedupe_key) as dedupe_key, convert(binary(16), j.id, 2) as id from openjson(@keys) with (queue nvarchar(128) '$[0]', dedupe_key nvarchar(400) '$[1]', id char(32) '$[2]') as j) as k order by k.queue, k.dedupe_key

-- HoldersSql(@keys NVarChar -1 0)
set xact_abort on;
declare @wanted table (id binary(16) primary key);
insert into @wanted
select d.task_id from (select j.queue collate Latin1_General_100_BIN2 as queue, convert(varbinary(800), j.dedupe_key) as dedupe_key from openjson(@keys) with (queue nvarchar(128) '$[0]', dedupe_key nvarchar(400) '$[1]') as j) as k
inner loop join dedupe_keys d with (rowlock, forceseek) on d.queue = k.queue and d.dedupe_key = k.dedupe_key;
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
declare @found table (id binary(16) primary key, place int);
declare @looks int = 0;
while exists (select 1 from @wanted)
begin
    insert into @found select t.id, 2 from (select top (2147483647) id from @wanted order by id) as i
inner loop join ready t with (updlock, rowlock, forceseek) on t.id = i.id
order by i.id option (force order, maxdop 1);
    delete w from @wanted w inner join @found f on f.id = w.id;
    insert into @found select t.id, 4 from (select top (2147483647) id from @wanted order by id) as i
inner loop join running t with (updlock, rowlock, forceseek) on t.id = i.id
order by i.id option (force order, maxdop 1);
    delete w from @wanted w inner join @found f on f.id = w.id;
    insert into @found select t.id, 8 from (select top (2147483647) id from @wanted order by id) as i
inner loop join outcomes t with (updlock, rowlock, forceseek) on t.id = i.id
order by i.id option (force order, maxdop 1);
    delete w from @wanted w inner join @found f on f.id = w.id;
    delete w from @wanted w where not exists (select 1 from tasks t with (readcommittedlock, forceseek) where t.id = w.id);
    set @looks += 1;
    if @looks = 20 and exists (select 1 from @wanted)
        throw 51205, 'a task moves too fast', 1;
end;
select r.id, r.state, r.queue, r.tier, r.priority, r.push, cast(r.name as nvarchar(400)) as name, cast(r.dedupe_key as nvarchar(400)) as dedupe_key, cast(r.ordering_key as nvarchar(400)) as ordering_key, r.blocked, t.headers, r.attempt, r.attempts_left, r.max_attempts, r.retry, r.default_lease_ms, r.lease_ms, cast(null as datetime2(6)) as lease_until, r.worker, r.claimed_by, r.created_at, r.due_at, r.expires_at, r.started_at, cast(null as datetime2(6)) as finished_at, cast(0 as bit) as limited, cast(0 as bit) as dead, cast(null as datetime2(6)) as delete_at, r.dispatch_at, r.ending, r.batch_id, cast(r.owner as nvarchar(400)) as owner, t.tags, t.schedule_id, r.octets, r.crashes from @found f inner loop join ready r with (rowlock, forceseek) on r.id = f.id inner loop join tasks t with (rowlock, forceseek) on t.id = r.id
where f.place = 2;
select r.id, 4 as state, r.queue, r.tier, r.priority, r.push, cast(r.name as nvarchar(400)) as name, cast(r.dedupe_key as nvarchar(400)) as dedupe_key, cast(r.ordering_key as nvarchar(400)) as ordering_key, cast(0 as bit) as blocked, t.headers, r.attempt, r.attempts_left, r.max_attempts, r.retry, r.default_lease_ms, r.lease_ms, r.lease_until, r.worker, r.claimed_by, r.created_at, r.due_at, r.expires_at, r.started_at, cast(null as datetime2(6)) as finished_at, r.limited, cast(0 as bit) as dead, cast(null as datetime2(6)) as delete_at, cast(null as datetime2(6)) as dispatch_at, r.ending, r.batch_id, cast(r.owner as nvarchar(400)) as owner, t.tags, t.schedule_id, r.octets, r.crashes from @found f inner loop join running r with (rowlock, forceseek) on r.id = f.id inner loop join tasks t with (rowlock, forceseek) on t.id = r.id
where f.place = 4;

-- InsertNewSql(@tasks NVarChar -1 0, @ready NVarChar -1 0, @tags NVarChar -1 0)
set xact_abort on;
insert into tasks (id, queue, tier, priority, push, name, dedupe_key, ordering_key, payload, headers, max_attempts, retry, default_lease_ms, created_at, due_at, ending, batch_id, owner, tags, schedule_id, listed_as)
select n.id, n.queue, n.tier, n.priority, n.push, n.name, n.dedupe_key, n.ordering_key, n.payload, n.headers, n.max_attempts, n.retry, n.default_lease_ms, n.created_at, n.due_at, n.ending, n.batch_id, n.owner, n.tags, n.schedule_id, n.listed_as from (select convert(binary(16), j.id, 2) as id, j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.priority, j.push, convert(varbinary(800), j.name) as name, convert(varbinary(800), j.dedupe_key) as dedupe_key, convert(varbinary(800), j.ordering_key) as ordering_key, j.payload collate Latin1_General_100_BIN2 as payload, j.headers collate Latin1_General_100_BIN2 as headers, j.max_attempts, j.retry collate Latin1_General_100_BIN2 as retry, j.default_lease_ms, j.created_at, j.due_at, j.ending collate Latin1_General_100_BIN2 as ending, convert(binary(16), j.batch_id, 2) as batch_id, convert(varbinary(800), j.owner) as owner, j.tags collate Latin1_General_100_BIN2 as tags, j.schedule_id, convert(binary(16), j.listed_as, 2) as listed_as from openjson(@tasks) with (id char(32) '$[0]', queue nvarchar(128) '$[1]', tier int '$[2]', priority int '$[3]', push bit '$[4]', name nvarchar(400) '$[5]', dedupe_key nvarchar(400) '$[6]', ordering_key nvarchar(400) '$[7]', payload nvarchar(max) '$[8]', headers nvarchar(max) '$[9]', max_attempts int '$[10]', retry nvarchar(max) '$[11]', default_lease_ms int '$[12]', created_at datetime2(6) '$[13]', due_at datetime2(6) '$[14]', ending nvarchar(max) '$[15]', batch_id char(32) '$[16]', owner nvarchar(400) '$[17]', tags nvarchar(max) '$[18]', schedule_id int '$[19]', listed_as char(32) '$[20]') as j) as n order by n.id;
insert into ready (id, state, queue, tier, priority, push, name, dedupe_key, ordering_key, blocked, error, attempt, attempts_left, max_attempts, retry, default_lease_ms, lease_ms, worker, claimed_by, created_at, due_at, expires_at, started_at, dispatch_at, ending, batch_id, owner, progress, octets, crashes)
select n.id, n.state, n.queue, n.tier, n.priority, n.push, n.name, n.dedupe_key, n.ordering_key, n.blocked, n.error, n.attempt, n.attempts_left, n.max_attempts, n.retry, n.default_lease_ms, n.lease_ms, n.worker, n.claimed_by, n.created_at, n.due_at, n.expires_at, n.started_at, n.dispatch_at, n.ending, n.batch_id, n.owner, n.progress, n.octets, n.crashes from (select convert(binary(16), j.id, 2) as id, j.state, j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.priority, j.push, convert(varbinary(800), j.name) as name, convert(varbinary(800), j.dedupe_key) as dedupe_key, convert(varbinary(800), j.ordering_key) as ordering_key, j.blocked, j.error collate Latin1_General_100_BIN2 as error, j.attempt, j.attempts_left, j.max_attempts, j.retry collate Latin1_General_100_BIN2 as retry, j.default_lease_ms, j.lease_ms, j.worker collate Latin1_General_100_BIN2 as worker, j.claimed_by collate Latin1_General_100_BIN2 as claimed_by, j.created_at, j.due_at, j.expires_at, j.started_at, j.dispatch_at, j.ending collate Latin1_General_100_BIN2 as ending, convert(binary(16), j.batch_id, 2) as batch_id, convert(varbinary(800), j.owner) as owner, j.progress collate Latin1_General_100_BIN2 as progress, j.octets, j.crashes from openjson(@ready) with (id char(32) '$[0]', state int '$[1]', queue nvarchar(128) '$[2]', tier int '$[3]', priority int '$[4]', push bit '$[5]', name nvarchar(400) '$[6]', dedupe_key nvarchar(400) '$[7]', ordering_key nvarchar(400) '$[8]', blocked bit '$[9]', error nvarchar(max) '$[10]', attempt int '$[11]', attempts_left int '$[12]', max_attempts int '$[13]', retry nvarchar(max) '$[14]', default_lease_ms int '$[15]', lease_ms int '$[16]', worker nvarchar(max) '$[17]', claimed_by nvarchar(max) '$[18]', created_at datetime2(6) '$[19]', due_at datetime2(6) '$[20]', expires_at datetime2(6) '$[21]', started_at datetime2(6) '$[22]', dispatch_at datetime2(6) '$[23]', ending nvarchar(max) '$[24]', batch_id char(32) '$[25]', owner nvarchar(400) '$[26]', progress nvarchar(max) '$[27]', octets int '$[28]', crashes int '$[29]') as j) as n order by n.id;
if @tags is not null
insert into task_tags (tag, task_id, owner, queue)
select n.tag, n.id, n.owner, n.queue from (select j.tag collate Latin1_General_100_BIN2 as tag, convert(binary(16), j.id, 2) as id, convert(varbinary(800), j.owner) as owner, j.queue collate Latin1_General_100_BIN2 as queue from openjson(@tags) with (tag nvarchar(64) '$[0]', id char(32) '$[1]', owner nvarchar(400) '$[2]', queue nvarchar(128) '$[3]') as j) as n order by n.tag, n.id;

-- InsertTasksSql(@tasks NVarChar -1 0, @ready NVarChar -1 0, @tags NVarChar -1 0)
set xact_abort on;
declare @free table (id binary(16) primary key);
insert into @free
select r.id from (select convert(binary(16), j.id, 2) as id, j.state, j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.priority, j.push, convert(varbinary(800), j.name) as name, convert(varbinary(800), j.dedupe_key) as dedupe_key, convert(varbinary(800), j.ordering_key) as ordering_key, j.blocked, j.error collate Latin1_General_100_BIN2 as error, j.attempt, j.attempts_left, j.max_attempts, j.retry collate Latin1_General_100_BIN2 as retry, j.default_lease_ms, j.lease_ms, j.worker collate Latin1_General_100_BIN2 as worker, j.claimed_by collate Latin1_General_100_BIN2 as claimed_by, j.created_at, j.due_at, j.expires_at, j.started_at, j.dispatch_at, j.ending collate Latin1_General_100_BIN2 as ending, convert(binary(16), j.batch_id, 2) as batch_id, convert(varbinary(800), j.owner) as owner, j.progress collate Latin1_General_100_BIN2 as progress, j.octets, j.crashes from openjson(@ready) with (id char(32) '$[0]', state int '$[1]', queue nvarchar(128) '$[2]', tier int '$[3]', priority int '$[4]', push bit '$[5]', name nvarchar(400) '$[6]', dedupe_key nvarchar(400) '$[7]', ordering_key nvarchar(400) '$[8]', blocked bit '$[9]', error nvarchar(max) '$[10]', attempt int '$[11]', attempts_left int '$[12]', max_attempts int '$[13]', retry nvarchar(max) '$[14]', default_lease_ms int '$[15]', lease_ms int '$[16]', worker nvarchar(max) '$[17]', claimed_by nvarchar(max) '$[18]', created_at datetime2(6) '$[19]', due_at datetime2(6) '$[20]', expires_at datetime2(6) '$[21]', started_at datetime2(6) '$[22]', dispatch_at datetime2(6) '$[23]', ending nvarchar(max) '$[24]', batch_id char(32) '$[25]', owner nvarchar(400) '$[26]', progress nvarchar(max) '$[27]', octets int '$[28]', crashes int '$[29]') as j) as r
where not exists (select 1 from tasks t with (forceseek) where t.id = r.id)
  and not exists (
    select 1 from dedupe_keys d with (forceseek) where d.queue = r.queue and d.dedupe_key = r.dedupe_key);
insert into dedupe_keys (queue, dedupe_key, task_id)
select r.queue, r.dedupe_key, r.id from (select convert(binary(16), j.id, 2) as id, j.state, j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.priority, j.push, convert(varbinary(800), j.name) as name, convert(varbinary(800), j.dedupe_key) as dedupe_key, convert(varbinary(800), j.ordering_key) as ordering_key, j.blocked, j.error collate Latin1_General_100_BIN2 as error, j.attempt, j.attempts_left, j.max_attempts, j.retry collate Latin1_General_100_BIN2 as retry, j.default_lease_ms, j.lease_ms, j.worker collate Latin1_General_100_BIN2 as worker, j.claimed_by collate Latin1_General_100_BIN2 as claimed_by, j.created_at, j.due_at, j.expires_at, j.started_at, j.dispatch_at, j.ending collate Latin1_General_100_BIN2 as ending, convert(binary(16), j.batch_id, 2) as batch_id, convert(varbinary(800), j.owner) as owner, j.progress collate Latin1_General_100_BIN2 as progress, j.octets, j.crashes from openjson(@ready) with (id char(32) '$[0]', state int '$[1]', queue nvarchar(128) '$[2]', tier int '$[3]', priority int '$[4]', push bit '$[5]', name nvarchar(400) '$[6]', dedupe_key nvarchar(400) '$[7]', ordering_key nvarchar(400) '$[8]', blocked bit '$[9]', error nvarchar(max) '$[10]', attempt int '$[11]', attempts_left int '$[12]', max_attempts int '$[13]', retry nvarchar(max) '$[14]', default_lease_ms int '$[15]', lease_ms int '$[16]', worker nvarchar(max) '$[17]', claimed_by nvarchar(max) '$[18]', created_at datetime2(6) '$[19]', due_at datetime2(6) '$[20]', expires_at datetime2(6) '$[21]', started_at datetime2(6) '$[22]', dispatch_at datetime2(6) '$[23]', ending nvarchar(max) '$[24]', batch_id char(32) '$[25]', owner nvarchar(400) '$[26]', progress nvarchar(max) '$[27]', octets int '$[28]', crashes int '$[29]') as j) as r
where r.dedupe_key is not null and r.id in (select id from @free) order by r.queue, r.dedupe_key;
insert into tasks (id, queue, tier, priority, push, name, dedupe_key, ordering_key, payload, headers, max_attempts, retry, default_lease_ms, created_at, due_at, ending, batch_id, owner, tags, schedule_id, listed_as)
output inserted.id
select n.id, n.queue, n.tier, n.priority, n.push, n.name, n.dedupe_key, n.ordering_key, n.payload, n.headers, n.max_attempts, n.retry, n.default_lease_ms, n.created_at, n.due_at, n.ending, n.batch_id, n.owner, n.tags, n.schedule_id, n.listed_as from (select convert(binary(16), j.id, 2) as id, j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.priority, j.push, convert(varbinary(800), j.name) as name, convert(varbinary(800), j.dedupe_key) as dedupe_key, convert(varbinary(800), j.ordering_key) as ordering_key, j.payload collate Latin1_General_100_BIN2 as payload, j.headers collate Latin1_General_100_BIN2 as headers, j.max_attempts, j.retry collate Latin1_General_100_BIN2 as retry, j.default_lease_ms, j.created_at, j.due_at, j.ending collate Latin1_General_100_BIN2 as ending, convert(binary(16), j.batch_id, 2) as batch_id, convert(varbinary(800), j.owner) as owner, j.tags collate Latin1_General_100_BIN2 as tags, j.schedule_id, convert(binary(16), j.listed_as, 2) as listed_as from openjson(@tasks) with (id char(32) '$[0]', queue nvarchar(128) '$[1]', tier int '$[2]', priority int '$[3]', push bit '$[4]', name nvarchar(400) '$[5]', dedupe_key nvarchar(400) '$[6]', ordering_key nvarchar(400) '$[7]', payload nvarchar(max) '$[8]', headers nvarchar(max) '$[9]', max_attempts int '$[10]', retry nvarchar(max) '$[11]', default_lease_ms int '$[12]', created_at datetime2(6) '$[13]', due_at datetime2(6) '$[14]', ending nvarchar(max) '$[15]', batch_id char(32) '$[16]', owner nvarchar(400) '$[17]', tags nvarchar(max) '$[18]', schedule_id int '$[19]', listed_as char(32) '$[20]') as j) as n where n.id in (select id from @free) order by n.id;
insert into ready (id, state, queue, tier, priority, push, name, dedupe_key, ordering_key, blocked, error, attempt, attempts_left, max_attempts, retry, default_lease_ms, lease_ms, worker, claimed_by, created_at, due_at, expires_at, started_at, dispatch_at, ending, batch_id, owner, progress, octets, crashes)
select n.id, n.state, n.queue, n.tier, n.priority, n.push, n.name, n.dedupe_key, n.ordering_key, n.blocked, n.error, n.attempt, n.attempts_left, n.max_attempts, n.retry, n.default_lease_ms, n.lease_ms, n.worker, n.claimed_by, n.created_at, n.due_at, n.expires_at, n.started_at, n.dispatch_at, n.ending, n.batch_id, n.owner, n.progress, n.octets, n.crashes from (select convert(binary(16), j.id, 2) as id, j.state, j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.priority, j.push, convert(varbinary(800), j.name) as name, convert(varbinary(800), j.dedupe_key) as dedupe_key, convert(varbinary(800), j.ordering_key) as ordering_key, j.blocked, j.error collate Latin1_General_100_BIN2 as error, j.attempt, j.attempts_left, j.max_attempts, j.retry collate Latin1_General_100_BIN2 as retry, j.default_lease_ms, j.lease_ms, j.worker collate Latin1_General_100_BIN2 as worker, j.claimed_by collate Latin1_General_100_BIN2 as claimed_by, j.created_at, j.due_at, j.expires_at, j.started_at, j.dispatch_at, j.ending collate Latin1_General_100_BIN2 as ending, convert(binary(16), j.batch_id, 2) as batch_id, convert(varbinary(800), j.owner) as owner, j.progress collate Latin1_General_100_BIN2 as progress, j.octets, j.crashes from openjson(@ready) with (id char(32) '$[0]', state int '$[1]', queue nvarchar(128) '$[2]', tier int '$[3]', priority int '$[4]', push bit '$[5]', name nvarchar(400) '$[6]', dedupe_key nvarchar(400) '$[7]', ordering_key nvarchar(400) '$[8]', blocked bit '$[9]', error nvarchar(max) '$[10]', attempt int '$[11]', attempts_left int '$[12]', max_attempts int '$[13]', retry nvarchar(max) '$[14]', default_lease_ms int '$[15]', lease_ms int '$[16]', worker nvarchar(max) '$[17]', claimed_by nvarchar(max) '$[18]', created_at datetime2(6) '$[19]', due_at datetime2(6) '$[20]', expires_at datetime2(6) '$[21]', started_at datetime2(6) '$[22]', dispatch_at datetime2(6) '$[23]', ending nvarchar(max) '$[24]', batch_id char(32) '$[25]', owner nvarchar(400) '$[26]', progress nvarchar(max) '$[27]', octets int '$[28]', crashes int '$[29]') as j) as n where n.id in (select id from @free) order by n.id;
if @tags is not null
insert into task_tags (tag, task_id, owner, queue)
select n.tag, n.id, n.owner, n.queue from (select j.tag collate Latin1_General_100_BIN2 as tag, convert(binary(16), j.id, 2) as id, convert(varbinary(800), j.owner) as owner, j.queue collate Latin1_General_100_BIN2 as queue from openjson(@tags) with (tag nvarchar(64) '$[0]', id char(32) '$[1]', owner nvarchar(400) '$[2]', queue nvarchar(128) '$[3]') as j) as n where n.id in (select id from @free) order by n.tag, n.id;

-- InsertWithEventsSql(@tasks NVarChar -1 0, @ready NVarChar -1 0, @tags NVarChar -1 0, @partition Int 0 0, @events NVarChar -1 0)
set xact_abort on;
begin transaction;
insert into tasks (id, queue, tier, priority, push, name, dedupe_key, ordering_key, payload, headers, max_attempts, retry, default_lease_ms, created_at, due_at, ending, batch_id, owner, tags, schedule_id, listed_as)
select n.id, n.queue, n.tier, n.priority, n.push, n.name, n.dedupe_key, n.ordering_key, n.payload, n.headers, n.max_attempts, n.retry, n.default_lease_ms, n.created_at, n.due_at, n.ending, n.batch_id, n.owner, n.tags, n.schedule_id, n.listed_as from (select convert(binary(16), j.id, 2) as id, j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.priority, j.push, convert(varbinary(800), j.name) as name, convert(varbinary(800), j.dedupe_key) as dedupe_key, convert(varbinary(800), j.ordering_key) as ordering_key, j.payload collate Latin1_General_100_BIN2 as payload, j.headers collate Latin1_General_100_BIN2 as headers, j.max_attempts, j.retry collate Latin1_General_100_BIN2 as retry, j.default_lease_ms, j.created_at, j.due_at, j.ending collate Latin1_General_100_BIN2 as ending, convert(binary(16), j.batch_id, 2) as batch_id, convert(varbinary(800), j.owner) as owner, j.tags collate Latin1_General_100_BIN2 as tags, j.schedule_id, convert(binary(16), j.listed_as, 2) as listed_as from openjson(@tasks) with (id char(32) '$[0]', queue nvarchar(128) '$[1]', tier int '$[2]', priority int '$[3]', push bit '$[4]', name nvarchar(400) '$[5]', dedupe_key nvarchar(400) '$[6]', ordering_key nvarchar(400) '$[7]', payload nvarchar(max) '$[8]', headers nvarchar(max) '$[9]', max_attempts int '$[10]', retry nvarchar(max) '$[11]', default_lease_ms int '$[12]', created_at datetime2(6) '$[13]', due_at datetime2(6) '$[14]', ending nvarchar(max) '$[15]', batch_id char(32) '$[16]', owner nvarchar(400) '$[17]', tags nvarchar(max) '$[18]', schedule_id int '$[19]', listed_as char(32) '$[20]') as j) as n order by n.id;
insert into ready (id, state, queue, tier, priority, push, name, dedupe_key, ordering_key, blocked, error, attempt, attempts_left, max_attempts, retry, default_lease_ms, lease_ms, worker, claimed_by, created_at, due_at, expires_at, started_at, dispatch_at, ending, batch_id, owner, progress, octets, crashes)
select n.id, n.state, n.queue, n.tier, n.priority, n.push, n.name, n.dedupe_key, n.ordering_key, n.blocked, n.error, n.attempt, n.attempts_left, n.max_attempts, n.retry, n.default_lease_ms, n.lease_ms, n.worker, n.claimed_by, n.created_at, n.due_at, n.expires_at, n.started_at, n.dispatch_at, n.ending, n.batch_id, n.owner, n.progress, n.octets, n.crashes from (select convert(binary(16), j.id, 2) as id, j.state, j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.priority, j.push, convert(varbinary(800), j.name) as name, convert(varbinary(800), j.dedupe_key) as dedupe_key, convert(varbinary(800), j.ordering_key) as ordering_key, j.blocked, j.error collate Latin1_General_100_BIN2 as error, j.attempt, j.attempts_left, j.max_attempts, j.retry collate Latin1_General_100_BIN2 as retry, j.default_lease_ms, j.lease_ms, j.worker collate Latin1_General_100_BIN2 as worker, j.claimed_by collate Latin1_General_100_BIN2 as claimed_by, j.created_at, j.due_at, j.expires_at, j.started_at, j.dispatch_at, j.ending collate Latin1_General_100_BIN2 as ending, convert(binary(16), j.batch_id, 2) as batch_id, convert(varbinary(800), j.owner) as owner, j.progress collate Latin1_General_100_BIN2 as progress, j.octets, j.crashes from openjson(@ready) with (id char(32) '$[0]', state int '$[1]', queue nvarchar(128) '$[2]', tier int '$[3]', priority int '$[4]', push bit '$[5]', name nvarchar(400) '$[6]', dedupe_key nvarchar(400) '$[7]', ordering_key nvarchar(400) '$[8]', blocked bit '$[9]', error nvarchar(max) '$[10]', attempt int '$[11]', attempts_left int '$[12]', max_attempts int '$[13]', retry nvarchar(max) '$[14]', default_lease_ms int '$[15]', lease_ms int '$[16]', worker nvarchar(max) '$[17]', claimed_by nvarchar(max) '$[18]', created_at datetime2(6) '$[19]', due_at datetime2(6) '$[20]', expires_at datetime2(6) '$[21]', started_at datetime2(6) '$[22]', dispatch_at datetime2(6) '$[23]', ending nvarchar(max) '$[24]', batch_id char(32) '$[25]', owner nvarchar(400) '$[26]', progress nvarchar(max) '$[27]', octets int '$[28]', crashes int '$[29]') as j) as n order by n.id;
if @tags is not null
insert into task_tags (tag, task_id, owner, queue)
select n.tag, n.id, n.owner, n.queue from (select j.tag collate Latin1_General_100_BIN2 as tag, convert(binary(16), j.id, 2) as id, convert(varbinary(800), j.owner) as owner, j.queue collate Latin1_General_100_BIN2 as queue from openjson(@tags) with (tag nvarchar(64) '$[0]', id char(32) '$[1]', owner nvarchar(400) '$[2]', queue nvarchar(128) '$[3]') as j) as n order by n.tag, n.id;
if @events is not null
begin
    declare @granted int, @resource nvarchar(255) = concat(N'taskqueue:partition:', @partition);
exec @granted = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Transaction';
if @granted < 0 throw 51205, 'a lock was not granted', 1;
insert into outbox (partition_id, at, type, queue, tier, worker, dispatch, frees, ids, attempts, earlier, due_times, errors)
select @partition, e.at, e.type, e.queue, e.tier, e.worker, e.dispatch, e.frees, e.ids, e.attempts, e.earlier, e.due_times, e.errors
from (select j.at, j.type, j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.worker collate Latin1_General_100_BIN2 as worker, j.dispatch, j.frees, j.ids collate Latin1_General_100_BIN2 as ids, j.attempts collate Latin1_General_100_BIN2 as attempts, j.earlier collate Latin1_General_100_BIN2 as earlier, j.due_times collate Latin1_General_100_BIN2 as due_times, j.errors collate Latin1_General_100_BIN2 as errors, j.ord from openjson(@events) with (at datetime2(6) '$[0]', type int '$[1]', queue nvarchar(128) '$[2]', tier int '$[3]', worker nvarchar(max) '$[4]', dispatch bit '$[5]', frees bit '$[6]', ids nvarchar(max) '$[7]', attempts nvarchar(max) '$[8]', earlier nvarchar(max) '$[9]', due_times nvarchar(max) '$[10]', errors nvarchar(max) '$[11]', ord int '$[12]') as j) as e
order by e.ord;
end;
commit;

-- LeadSql()
declare @granted int; exec @granted = sp_getapplock @Resource = N'taskqueue:dispatcher', @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 0; select @granted;

-- LimitRunningSql(@queue NVarChar 128 0)
set xact_abort on;
declare @found table (id binary(16) primary key);
declare @locked table (id binary(16) primary key);
begin transaction;
insert into @found select t.id from running t where t.queue = @queue and t.limited = 0;
insert into @locked select t.id from (select top (2147483647) id from @found order by id) as i
inner loop join running t with (updlock, rowlock, forceseek) on t.id = i.id
where t.limited = 0 order by i.id option (force order, maxdop 1);
update r set limited = 1 from @locked l inner loop join running r with (rowlock, forceseek) on r.id = l.id;
commit;

-- LimitedClaimSql(@targets NVarChar -1 0, @max Int 0 0, @shares NVarChar -1 0, @now DateTime2 0 6, @due DateTime2 0 6, @retries Int 0 0, @limits NVarChar -1 0, @ns BigInt 0 0, @order Int 0 0, @hold Int 0 0, @max_octets BigInt 0 0)
set xact_abort on;
declare @taken table (id binary(16), queue nvarchar(128) collate Latin1_General_100_BIN2, tier int, priority int, push bit, name varbinary(800), dedupe_key varbinary(800), ordering_key varbinary(800), error nvarchar(max) collate Latin1_General_100_BIN2, attempt int, attempts_left int, max_attempts int, retry nvarchar(max) collate Latin1_General_100_BIN2, default_lease_ms int, lease_ms int, worker nvarchar(max) collate Latin1_General_100_BIN2, claimed_by nvarchar(max) collate Latin1_General_100_BIN2, created_at datetime2(6), due_at datetime2(6), expires_at datetime2(6), started_at datetime2(6), ending nvarchar(max) collate Latin1_General_100_BIN2, batch_id binary(16), owner varbinary(800), progress nvarchar(max) collate Latin1_General_100_BIN2, octets int, crashes int,
    place bigint, share int, new_worker nvarchar(max) collate Latin1_General_100_BIN2, new_claimed_by nvarchar(max) collate Latin1_General_100_BIN2,
    new_lease int);
with allowances as (
    select g.queue, case when a.running < a.tokens then a.running else a.tokens end as allowed
    from (select j.queue collate Latin1_General_100_BIN2 as queue, j.max_running, j.period_ns, j.max_tokens from openjson(@limits) with (queue nvarchar(128) '$[0]', max_running int '$[1]', period_ns bigint '$[2]', max_tokens bigint '$[3]') as j) as g inner loop join queue_limits b with (forceseek) on b.queue = g.queue
    cross apply (select case when b.bucket_base > @ns - g.max_tokens * g.period_ns then b.bucket_base
        else @ns - g.max_tokens * g.period_ns end as base) as k
    cross apply (select
        case when g.max_running = 0 then @max else g.max_running
            - (select count(*) from running h with (readcommittedlock) where h.queue = g.queue and h.limited = 1) end as running,
        case when g.period_ns = 0 then @max else (@ns - k.base) / g.period_ns end as tokens) as a),
limits as (
    select q.queue, q.tier, q.ord,
        case when g.allowed is null or g.allowed > @max then @max when g.allowed < 0 then 0 else g.allowed end as allowed
    from (select j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.ord from openjson(@targets) with (queue nvarchar(128) '$[0]', tier int '$[1]', ord int '$[2]') as j) as q left join allowances g on g.queue = q.queue),
found as (
    select c.id, c.due_at, c.created_at, c.octets, q.queue, q.ord, p.priority, q.allowed,
        row_number() over (partition by q.ord order by p.priority desc, c.due_at, c.created_at, c.id) as turn
    from limits q cross join (values (4), (3), (2), (1)) as p(priority)
    cross apply (select top (case when @order = 4 and q.allowed > 1 then 1 else q.allowed end) r.id, r.due_at, r.created_at, cast(r.octets as bigint) as octets from ready r with (updlock, readpast, rowlock, readcommittedlock)
where r.queue = q.queue and r.tier = q.tier and r.priority = p.priority and r.blocked = 0 and r.push = 0 and r.due_at <= @due
  and (r.expires_at is null or r.expires_at > @now)
order by r.due_at, r.created_at, r.id) as c
    where @order <> 4 or not exists (
        select 1 from queue_locks l join running h on h.id = l.task_id
        where l.queue = q.queue and l.tier = q.tier and l.until > @now and h.attempt = l.attempt)),
placed as (
    select f.id, f.allowed, f.octets, row_number() over (order by case when @order = 2 then f.turn else 0 end, case when @order = 1 then 0 else f.ord end, case when @order = 1 then 0 else -f.priority end, f.due_at, f.created_at, f.id) as place,
        row_number() over (partition by f.queue order by case when @order = 2 then f.turn else 0 end, case when @order = 1 then 0 else f.ord end, case when @order = 1 then 0 else -f.priority end, f.due_at, f.created_at, f.id) as number
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
delete r
output deleted.id, deleted.queue, deleted.tier, deleted.priority, deleted.push, deleted.name, deleted.dedupe_key, deleted.ordering_key, deleted.error, deleted.attempt, deleted.attempts_left, deleted.max_attempts, deleted.retry, deleted.default_lease_ms, deleted.lease_ms, deleted.worker, deleted.claimed_by, deleted.created_at, deleted.due_at, deleted.expires_at, deleted.started_at, deleted.ending, deleted.batch_id, deleted.owner, deleted.progress, deleted.octets, deleted.crashes, d.place, d.share, d.worker, d.claimed_by, d.lease into @taken
from due d inner loop join ready r with (rowlock, forceseek) on r.id = d.id
where r.blocked = 0
option (maxdop 1, optimize for (@max = 1));
if @@rowcount = 0 return;
insert into running (id, queue, tier, priority, push, name, dedupe_key, ordering_key, error, attempt, attempts_left, max_attempts, retry, default_lease_ms, lease_ms, lease_until, worker, claimed_by, created_at, due_at, expires_at, started_at, limited, ending, batch_id, owner, progress, octets, crashes)
select t.id, t.queue, t.tier, t.priority, t.push, t.name, t.dedupe_key, t.ordering_key, t.error, t.attempt + 1, case when @retries is null then t.attempts_left - 1 when t.tier = 0 then 0 when @retries < 0 then 100 when @retries > t.attempt then @retries - t.attempt else 0 end, t.max_attempts, t.retry, t.default_lease_ms, case when t.new_lease <> 0 then t.new_lease when t.new_lease is null then t.default_lease_ms when datediff_big(microsecond, @now, coalesce(t.expires_at, dateadd(day, 24, @now))) / 1000 > 2147483647 then 2147483647 else datediff_big(microsecond, @now, coalesce(t.expires_at, dateadd(day, 24, @now))) / 1000 end, case when t.new_lease = 0 then coalesce(t.expires_at, dateadd(day, 24, @now)) else dateadd(millisecond, coalesce(t.new_lease, t.default_lease_ms), @now) end, t.new_worker, t.new_claimed_by, t.created_at, t.due_at, t.expires_at, @now, case when exists (select 1 from (select j.queue collate Latin1_General_100_BIN2 as queue, j.max_running, j.period_ns, j.max_tokens from openjson(@limits) with (queue nvarchar(128) '$[0]', max_running int '$[1]', period_ns bigint '$[2]', max_tokens bigint '$[3]') as j) as g where g.queue = t.queue) then 1 else 0 end, t.ending, t.batch_id, t.owner, t.progress, t.octets, t.crashes from @taken t;
update b set bucket_base = n.tasks * g.period_ns
    + case when b.bucket_base > @ns - g.max_tokens * g.period_ns then b.bucket_base else @ns - g.max_tokens * g.period_ns end
from (select j.queue collate Latin1_General_100_BIN2 as queue, j.max_running, j.period_ns, j.max_tokens from openjson(@limits) with (queue nvarchar(128) '$[0]', max_running int '$[1]', period_ns bigint '$[2]', max_tokens bigint '$[3]') as j) as g inner loop join queue_limits b with (rowlock, forceseek) on b.queue = g.queue
join (select queue, count(*) as tasks from @taken group by queue) as n on n.queue = b.queue
where g.period_ns > 0;
if @order = 4
begin
    delete l from @taken c inner loop join queue_locks l with (rowlock, forceseek) on l.queue = c.queue and l.tier = c.tier;
    insert into queue_locks (queue, tier, task_id, attempt, until)
    select queue, tier, id, attempt + 1, dateadd(millisecond, @hold, @now) from @taken;
end;
select k.share, k.place, r.id, 4 as state, r.queue, r.tier, r.priority, r.push, cast(r.name as nvarchar(400)) as name, cast(r.dedupe_key as nvarchar(400)) as dedupe_key, cast(r.ordering_key as nvarchar(400)) as ordering_key, cast(0 as bit) as blocked, t.payload, t.headers, r.attempt, r.attempts_left, r.max_attempts, r.retry, r.default_lease_ms, r.lease_ms, r.lease_until, r.worker, r.claimed_by, r.created_at, r.due_at, r.expires_at, r.started_at, cast(null as datetime2(6)) as finished_at, r.limited, cast(0 as bit) as dead, cast(null as datetime2(6)) as delete_at, cast(null as datetime2(6)) as dispatch_at, r.ending, r.batch_id, cast(r.owner as nvarchar(400)) as owner, t.tags, t.schedule_id, r.progress
from @taken k inner loop join running r with (rowlock, forceseek) on r.id = k.id inner loop join tasks t with (rowlock, forceseek) on t.id = r.id;

-- LoadOffsetsSql()
select id, published_to from outbox_partitions

-- LoadSql(@ids NVarChar -1 0, @max_error Int 0 0)
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
declare @found table (id binary(16) primary key, place int);
declare @looks int = 0;
while exists (select 1 from @wanted)
begin
    insert into @found select t.id, 2 from (select top (2147483647) id from @wanted order by id) as i
inner loop join ready t with (updlock, rowlock, forceseek) on t.id = i.id
order by i.id option (force order, maxdop 1);
    delete w from @wanted w inner join @found f on f.id = w.id;
    insert into @found select t.id, 4 from (select top (2147483647) id from @wanted order by id) as i
inner loop join running t with (updlock, rowlock, forceseek) on t.id = i.id
order by i.id option (force order, maxdop 1);
    delete w from @wanted w inner join @found f on f.id = w.id;
    insert into @found select t.id, 8 from (select top (2147483647) id from @wanted order by id) as i
inner loop join outcomes t with (updlock, rowlock, forceseek) on t.id = i.id
order by i.id option (force order, maxdop 1);
    delete w from @wanted w inner join @found f on f.id = w.id;
    delete w from @wanted w where not exists (select 1 from tasks t with (readcommittedlock, forceseek) where t.id = w.id);
    set @looks += 1;
    if @looks = 20 and exists (select 1 from @wanted)
        throw 51205, 'a task moves too fast', 1;
end;
select r.id, r.state, r.queue, r.tier, r.priority, r.push, cast(r.name as nvarchar(400)) as name, cast(r.dedupe_key as nvarchar(400)) as dedupe_key, cast(r.ordering_key as nvarchar(400)) as ordering_key, r.blocked, case when datalength(r.error) <= @max_error then r.error end as error, r.attempt, r.attempts_left, r.max_attempts, r.retry, r.default_lease_ms, r.lease_ms, cast(null as datetime2(6)) as lease_until, r.worker, r.claimed_by, r.created_at, r.due_at, r.expires_at, r.started_at, cast(null as datetime2(6)) as finished_at, cast(0 as bit) as limited, cast(0 as bit) as dead, cast(null as datetime2(6)) as delete_at, r.dispatch_at, r.ending, r.batch_id, cast(r.owner as nvarchar(400)) as owner, r.progress, r.octets, r.crashes, cast(case when datalength(r.error) > @max_error then 1 else 0 end as bit) as is_partial from @found f inner loop join ready r with (rowlock, forceseek) on r.id = f.id
where f.place = 2;
select r.id, 4 as state, r.queue, r.tier, r.priority, r.push, cast(r.name as nvarchar(400)) as name, cast(r.dedupe_key as nvarchar(400)) as dedupe_key, cast(r.ordering_key as nvarchar(400)) as ordering_key, cast(0 as bit) as blocked, case when datalength(r.error) <= @max_error then r.error end as error, r.attempt, r.attempts_left, r.max_attempts, r.retry, r.default_lease_ms, r.lease_ms, r.lease_until, r.worker, r.claimed_by, r.created_at, r.due_at, r.expires_at, r.started_at, cast(null as datetime2(6)) as finished_at, r.limited, cast(0 as bit) as dead, cast(null as datetime2(6)) as delete_at, cast(null as datetime2(6)) as dispatch_at, r.ending, r.batch_id, cast(r.owner as nvarchar(400)) as owner, r.progress, r.octets, r.crashes, cast(case when datalength(r.error) > @max_error then 1 else 0 end as bit) as is_partial from @found f inner loop join running r with (rowlock, forceseek) on r.id = f.id
where f.place = 4;
select r.id, r.state, r.queue, r.tier, t.priority, t.push, cast(t.name as nvarchar(400)) as name, cast(t.dedupe_key as nvarchar(400)) as dedupe_key, cast(t.ordering_key as nvarchar(400)) as ordering_key, cast(0 as bit) as blocked, case when datalength(r.error) <= @max_error then r.error end as error, r.attempt, r.attempts_left, t.max_attempts, t.retry, t.default_lease_ms, r.lease_ms, cast(null as datetime2(6)) as lease_until, r.worker, r.claimed_by, t.created_at, r.due_at, r.expires_at, r.started_at, r.finished_at, cast(0 as bit) as limited, r.dead, r.delete_at, cast(null as datetime2(6)) as dispatch_at, t.ending, t.batch_id, cast(r.owner as nvarchar(400)) as owner, r.progress, cast((datalength(t.payload) + coalesce(datalength(t.headers), 0)) / 2 as int) as octets, 0 as crashes, cast(case when datalength(r.error) > @max_error then 1 else 0 end as bit) as is_partial from @found f inner loop join outcomes r with (rowlock, forceseek) on r.id = f.id inner loop join tasks t with (rowlock, forceseek) on t.id = r.id
where f.place = 8;

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

-- LockPartitionSql(@partition Int 0 0)
declare @granted int, @resource nvarchar(255) = concat(N'taskqueue:partition:', @partition);
exec @granted = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Transaction';
if @granted < 0 throw 51205, 'a lock was not granted', 1;

-- LockTargetSql(@target Int 0 0)
declare @granted int, @resource nvarchar(255) = concat(N'taskqueue:target:', @target);
exec @granted = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Transaction';
if @granted < 0 throw 51205, 'a lock was not granted', 1;

-- LookSql()
select coalesce(sum(coalesce(e.id, s.published_to)), 0)
from outbox_partitions s outer apply (
    select top (1) o.id from outbox o with (readpast, readcommittedlock, rowlock) where o.partition_id = s.id
    order by o.id desc) as e

-- NextCallbackSql()
select top (1) due_at from callbacks where state = 0 order by due_at

-- NextDispatchSql(@before DateTime2 0 6)
select top (1) dispatch_at from ready where dispatch_at is not null and dispatch_at <= @before order by dispatch_at

-- NextDueSql(@targets NVarChar -1 0, @now DateTime2 0 6)
select min(c.due_at)
from (select j.queue collate Latin1_General_100_BIN2 as queue, j.tier from openjson(@targets) with (queue nvarchar(128) '$[0]', tier int '$[1]') as j) as q cross join (values (4), (3), (2), (1)) as p(priority)
cross apply (
    select top (1) r.due_at from ready r
    where r.queue = q.queue and r.tier = q.tier and r.priority = p.priority and r.blocked = 0 and r.push = 0 and r.due_at > @now
    order by r.due_at) as c

-- NextExpiredLeaseSql(@before DateTime2 0 6)
select top (1) lease_until from running where lease_until is not null and lease_until <= @before order by lease_until

-- NextExpiredSql(@before DateTime2 0 6)
select top (1) expires_at from ready where expires_at is not null and expires_at <= @before order by expires_at

-- OutboxSql()
select coalesce(sum(c.events), 0), min(c.oldest)
from outbox_partitions s cross apply (
    select sum(e.events) as events, min(e.at) as oldest from (
        select top (1000) o.at, datalength(o.ids) / 78 as events from outbox o
        where o.partition_id = s.id and o.id > s.published_to order by o.id) as e) as c

-- OverwriteReadySql(@rows NVarChar -1 0)
update r set due_at = u.due_at, expires_at = u.expires_at, dispatch_at = u.dispatch_at, octets = u.octets, name = u.name,
    progress = case when u.refilled = 1 then null else r.progress end
from (select convert(binary(16), j.id, 2) as id, j.due_at, j.expires_at, j.dispatch_at, j.octets, j.refilled, convert(varbinary(800), j.name) as name from openjson(@rows) with (id char(32) '$[0]', due_at datetime2(6) '$[1]', expires_at datetime2(6) '$[2]', dispatch_at datetime2(6) '$[3]', octets int '$[4]', refilled bit '$[5]', name nvarchar(400) '$[6]') as j) as u
inner loop join ready r with (rowlock, forceseek) on r.id = u.id

-- OverwriteTasksSql(@rows NVarChar -1 0)
update t set payload = u.payload, name = u.name
from (select convert(binary(16), j.id, 2) as id, j.payload collate Latin1_General_100_BIN2 as payload, convert(varbinary(800), j.name) as name from openjson(@rows) with (id char(32) '$[0]', payload nvarchar(max) '$[1]', name nvarchar(400) '$[2]') as j) as u
inner loop join tasks t with (rowlock, forceseek) on t.id = u.id

-- PayloadsSql(@ids NVarChar -1 0)
select t.id, t.payload from (select convert(binary(16), j.id, 2) as id from openjson(@ids) with (id char(32) '$[0]') as j) as u inner loop join tasks t with (rowlock, forceseek) on t.id = u.id

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
insert into @late select h.id from (select j.queue collate Latin1_General_100_BIN2 as queue, convert(varbinary(800), j.ordering_key) as ordering_key from openjson(@keys) with (queue nvarchar(128) '$[0]', ordering_key nvarchar(400) '$[1]') as j) as k cross apply (select top (1) m.id from ready m with (readcommittedlock) where m.queue = k.queue and m.ordering_key = k.ordering_key and m.ordering_key is not null
    order by m.due_at, m.created_at, m.id) as f cross apply (select h.id from ready h with (readcommittedlock) where h.queue = k.queue and h.ordering_key = k.ordering_key and h.ordering_key is not null and h.blocked = 0) as h where h.id <> f.id;
update r set blocked = 1 from @late l inner loop join ready r with (rowlock, forceseek) on r.id = l.id where r.blocked = 0;
declare @free table (queue nvarchar(128) collate Latin1_General_100_BIN2, ordering_key varbinary(800), id binary(16));
insert into @free select k.queue, k.ordering_key, f.id from (select j.queue collate Latin1_General_100_BIN2 as queue, convert(varbinary(800), j.ordering_key) as ordering_key from openjson(@keys) with (queue nvarchar(128) '$[0]', ordering_key nvarchar(400) '$[1]') as j) as k cross apply (select top (1) m.id from ready m with (readcommittedlock) where m.queue = k.queue and m.ordering_key = k.ordering_key and m.ordering_key is not null
    order by m.due_at, m.created_at, m.id) as f where not exists (select h.id from ready h with (readcommittedlock) where h.queue = k.queue and h.ordering_key = k.ordering_key and h.ordering_key is not null and h.blocked = 0);
update r set blocked = 0 from @free k inner loop join ready r with (rowlock, forceseek) on r.id = k.id where r.blocked = 1 and not exists (select h.id from running h with (readcommittedlock) where h.queue = k.queue and h.ordering_key = k.ordering_key and h.ordering_key is not null);
delete from @free;
insert into @free select k.queue, k.ordering_key, f.id from (select j.queue collate Latin1_General_100_BIN2 as queue, convert(varbinary(800), j.ordering_key) as ordering_key from openjson(@keys) with (queue nvarchar(128) '$[0]', ordering_key nvarchar(400) '$[1]') as j) as k cross apply (select top (1) m.id from ready m with (readcommittedlock) where m.queue = k.queue and m.ordering_key = k.ordering_key and m.ordering_key is not null
    order by m.due_at, m.created_at, m.id) as f where not exists (select h.id from ready h with (readcommittedlock) where h.queue = k.queue and h.ordering_key = k.ordering_key and h.ordering_key is not null and h.blocked = 0);
select count_big(*) from @free k where not exists (select h.id from running h with (readcommittedlock) where h.queue = k.queue and h.ordering_key = k.ordering_key and h.ordering_key is not null);

-- PurgeSql(@queue NVarChar 128 0, @now DateTime2 0 6, @before DateTime2 0 6, @max Int 0 0, @part Int 0 0, @tier Int 0 0, @priority Int 0 0, @key NVarChar 4000 0, @at DateTime2 0 6, @accepted DateTime2 0 6, @id Binary 16 0)
set xact_abort on;
declare @members table (id binary(16) primary key, tier int, priority int, ordering_key varbinary(800),
    at datetime2(6), accepted datetime2(6));
declare @wanted table (id binary(16) primary key);
declare @after_key varbinary(800) = convert(varbinary(800), @key);
insert into @members select top (@max) m.id, m.tier, m.priority, m.ordering_key, m.at, m.accepted from (select * from (select top (@max) m.id, m.tier, m.priority, 0x as ordering_key, m.due_at as at, m.created_at as accepted from ready m where @part = 1 and m.queue = @queue and m.blocked = 0 and m.created_at < @before and m.tier = @tier and m.priority = @priority and m.due_at = @at and m.created_at = @accepted and m.id > @id order by m.id) as p
union all
select * from (select top (@max) m.id, m.tier, m.priority, 0x as ordering_key, m.due_at as at, m.created_at as accepted from ready m where @part = 1 and m.queue = @queue and m.blocked = 0 and m.created_at < @before and m.tier = @tier and m.priority = @priority and m.due_at = @at and m.created_at > @accepted order by m.created_at, m.id) as p
union all
select * from (select top (@max) m.id, m.tier, m.priority, 0x as ordering_key, m.due_at as at, m.created_at as accepted from ready m where @part = 1 and m.queue = @queue and m.blocked = 0 and m.created_at < @before and m.tier = @tier and m.priority = @priority and m.due_at > @at order by m.due_at, m.created_at, m.id) as p
union all
select * from (select top (@max) m.id, m.tier, m.priority, 0x as ordering_key, m.due_at as at, m.created_at as accepted from ready m where @part = 1 and m.queue = @queue and m.blocked = 0 and m.created_at < @before and m.tier = @tier and m.priority > @priority order by m.priority, m.due_at, m.created_at, m.id) as p
union all
select * from (select top (@max) m.id, m.tier, m.priority, 0x as ordering_key, m.due_at as at, m.created_at as accepted from ready m where @part = 1 and m.queue = @queue and m.blocked = 0 and m.created_at < @before and m.tier > @tier order by m.tier, m.priority, m.due_at, m.created_at, m.id) as p
union all
select * from (select top (@max) m.id, 0 as tier, 0 as priority, m.ordering_key, m.due_at as at, m.created_at as accepted from ready m where @part = 2 and m.queue = @queue and m.ordering_key is not null and m.blocked = 1 and m.created_at < @before and m.ordering_key = @after_key and m.due_at = @at and m.created_at = @accepted and m.id > @id order by m.id) as p
union all
select * from (select top (@max) m.id, 0 as tier, 0 as priority, m.ordering_key, m.due_at as at, m.created_at as accepted from ready m where @part = 2 and m.queue = @queue and m.ordering_key is not null and m.blocked = 1 and m.created_at < @before and m.ordering_key = @after_key and m.due_at = @at and m.created_at > @accepted order by m.created_at, m.id) as p
union all
select * from (select top (@max) m.id, 0 as tier, 0 as priority, m.ordering_key, m.due_at as at, m.created_at as accepted from ready m where @part = 2 and m.queue = @queue and m.ordering_key is not null and m.blocked = 1 and m.created_at < @before and m.ordering_key = @after_key and m.due_at > @at order by m.due_at, m.created_at, m.id) as p
union all
select * from (select top (@max) m.id, 0 as tier, 0 as priority, m.ordering_key, m.due_at as at, m.created_at as accepted from ready m where @part = 2 and m.queue = @queue and m.ordering_key is not null and m.blocked = 1 and m.created_at < @before and m.ordering_key > @after_key order by m.ordering_key, m.due_at, m.created_at, m.id) as p
union all
select * from (select top (@max) m.id, 0 as tier, 0 as priority, 0x as ordering_key, cast('1970-01-01' as datetime2(6)) as at, cast('1970-01-01' as datetime2(6)) as accepted from running m where @part = 3 and m.queue = @queue and m.created_at < @before and m.id > @id order by m.id) as p
union all
select * from (select top (@max) m.id, 0 as tier, 0 as priority, 0x as ordering_key, m.finished_at as at, cast('1970-01-01' as datetime2(6)) as accepted from outcomes m inner loop join tasks t with (rowlock, forceseek) on t.id = m.id where @part = 4 and m.queue = @queue and m.dead = 1 and t.created_at < @before and m.finished_at = @at and m.id > @id order by m.id) as p
union all
select * from (select top (@max) m.id, 0 as tier, 0 as priority, 0x as ordering_key, m.finished_at as at, cast('1970-01-01' as datetime2(6)) as accepted from outcomes m inner loop join tasks t with (rowlock, forceseek) on t.id = m.id where @part = 4 and m.queue = @queue and m.dead = 1 and t.created_at < @before and m.finished_at > @at order by m.finished_at, m.id) as p) as m
    order by m.tier, m.priority, m.ordering_key, m.at, m.accepted, m.id;
declare @bucket int = -1, @granted int, @resource nvarchar(255);
declare @buckets table (bucket int primary key);
insert into @buckets select distinct binary_checksum(cast(k.queue as varbinary(256)), k.ordering_key) & 1048575 from @members m inner loop join tasks k with (rowlock, forceseek) on k.id = m.id where k.ordering_key is not null;
while 1 = 1
begin
    set @bucket = (select min(bucket) from @buckets where bucket > @bucket);
    if @bucket is null break;
    set @resource = concat(N'taskqueue:ordering-key:', @bucket);
    exec @granted = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Transaction';
    if @granted < 0 throw 51205, 'a lock was not granted', 1;
end;
insert into @wanted select id from @members;
declare @found table (id binary(16) primary key, place int);
declare @looks int = 0;
while exists (select 1 from @wanted)
begin
    insert into @found select t.id, 2 from (select top (2147483647) id from @wanted order by id) as i
inner loop join ready t with (updlock, rowlock, forceseek) on t.id = i.id
order by i.id option (force order, maxdop 1);
    delete w from @wanted w inner join @found f on f.id = w.id;
    insert into @found select t.id, 4 from (select top (2147483647) id from @wanted order by id) as i
inner loop join running t with (updlock, rowlock, forceseek) on t.id = i.id
order by i.id option (force order, maxdop 1);
    delete w from @wanted w inner join @found f on f.id = w.id;
    insert into @found select t.id, 8 from (select top (2147483647) id from @wanted order by id) as i
inner loop join outcomes t with (updlock, rowlock, forceseek) on t.id = i.id
order by i.id option (force order, maxdop 1);
    delete w from @wanted w inner join @found f on f.id = w.id;
    delete w from @wanted w where not exists (select 1 from tasks t with (readcommittedlock, forceseek) where t.id = w.id);
    set @looks += 1;
    if @looks = 20 and exists (select 1 from @wanted)
        throw 51205, 'a task moves too fast', 1;
end;
declare @gone table (id binary(16), queue nvarchar(128) collate Latin1_General_100_BIN2, tier int, dedupe_key varbinary(800), ordering_key varbinary(800), error nvarchar(max) collate Latin1_General_100_BIN2, attempt int, attempts_left int, lease_ms int, worker nvarchar(max) collate Latin1_General_100_BIN2, claimed_by nvarchar(max) collate Latin1_General_100_BIN2, due_at datetime2(6), expires_at datetime2(6), started_at datetime2(6), batch_id binary(16), owner varbinary(800), progress nvarchar(max) collate Latin1_General_100_BIN2);
delete w output deleted.id, deleted.queue, deleted.tier, deleted.dedupe_key, deleted.ordering_key, deleted.error, deleted.attempt, deleted.attempts_left, deleted.lease_ms, deleted.worker, deleted.claimed_by, deleted.due_at, deleted.expires_at, deleted.started_at, deleted.batch_id, deleted.owner, deleted.progress into @gone
from @found f inner loop join ready w with (rowlock, forceseek) on w.id = f.id where f.place = 2;
delete r output deleted.id, deleted.queue, deleted.tier, deleted.dedupe_key, deleted.ordering_key, deleted.error, deleted.attempt, deleted.attempts_left, deleted.lease_ms, deleted.worker, deleted.claimed_by, deleted.due_at, deleted.expires_at, deleted.started_at, deleted.batch_id, deleted.owner, deleted.progress into @gone
from @found f inner loop join running r with (rowlock, forceseek) on r.id = f.id where f.place = 4;
insert into outcomes (id, state, queue, tier, result, error, attempt, attempts_left, lease_ms, worker, claimed_by, due_at, expires_at, started_at, finished_at, dead, delete_at, owner, progress)
select g.id, 8, g.queue, g.tier, null, g.error, g.attempt, g.attempts_left, g.lease_ms, g.worker, g.claimed_by, g.due_at, g.expires_at, g.started_at, @now, 0, case when g.batch_id is null then @now end, g.owner, g.progress from @gone g;
delete d from @gone g inner loop join dedupe_keys d with (rowlock, forceseek) on d.queue = g.queue and d.dedupe_key = g.dedupe_key
where d.task_id = g.id;
declare @dropped table (id binary(16) primary key);
update o set delete_at = @now, dead = 0 output inserted.id into @dropped
from @found f inner loop join outcomes o with (rowlock, forceseek) on o.id = f.id where f.place = 8 and o.dead = 1;
select m.id, cast(case when g.id is null then 0 else 1 end as bit), cast(case when d.id is null then 0 else 1 end as bit),
    cast(g.ordering_key as nvarchar(400)) as ordering_key, coalesce(g.tier, 0), coalesce(g.attempt, 0), g.worker, m.tier, m.priority,
    cast(m.ordering_key as nvarchar(400)), m.at, m.accepted
from @members m left join @gone g on g.id = m.id left join @dropped d on d.id = m.id
order by m.tier, m.priority, m.ordering_key, m.at, m.accepted, m.id;

-- ReadEventsSql(@offsets NVarChar -1 0, @max Int 0 0)
declare @end bigint = cast(ident_current(N'outbox') as bigint);
select o.partition_id, o.id, o.at, o.type, o.queue, o.tier, o.worker, o.dispatch, o.frees, o.ids, o.attempts, o.earlier,
    o.due_times, o.errors
from (select j.id, j.read_to from openjson(@offsets) with (id int '$[0]', read_to bigint '$[1]') as j) as s
cross apply (
    select n.id, sum(n.events) over (order by n.id rows unbounded preceding) - n.events as before
    from (
        select top (@max) e.id, datalength(e.ids) / 78 as events from outbox e
        where e.partition_id = s.id and e.id > s.read_to and e.id <= @end order by e.id) as n) as f
inner loop join outbox o with (rowlock, forceseek) on o.partition_id = s.id and o.id = f.id
where f.before < @max
order by o.id

-- ReadForDispatchSql(@ids NVarChar -1 0, @max_octets BigInt 0 0)
with summed as (
    select r.id, r.octets, sum(cast(r.octets as bigint)) over (order by r.id rows unbounded preceding) as octets_so_far
    from (select convert(binary(16), j.id, 2) as id from openjson(@ids) with (id char(32) '$[0]') as j) as k inner loop join ready r with (rowlock, forceseek) on r.id = k.id)
select r.id, r.state, r.queue, r.tier, r.priority, r.push, cast(r.name as nvarchar(400)) as name, cast(r.dedupe_key as nvarchar(400)) as dedupe_key, cast(r.ordering_key as nvarchar(400)) as ordering_key, r.blocked, t.payload, t.headers, r.attempt, r.attempts_left, r.max_attempts, r.retry, r.default_lease_ms, r.lease_ms, cast(null as datetime2(6)) as lease_until, r.worker, r.claimed_by, r.created_at, r.due_at, r.expires_at, r.started_at, cast(null as datetime2(6)) as finished_at, cast(0 as bit) as limited, cast(0 as bit) as dead, cast(null as datetime2(6)) as delete_at, r.dispatch_at, r.ending, r.batch_id, cast(r.owner as nvarchar(400)) as owner, t.tags, t.schedule_id, r.progress
from summed f inner loop join ready r with (rowlock, forceseek) on r.id = f.id inner loop join tasks t with (rowlock, forceseek) on t.id = r.id
where f.octets_so_far <= @max_octets or f.octets_so_far = f.octets order by r.id

-- RearmSql(@queue NVarChar 128 0, @now DateTime2 0 6)
set xact_abort on;
declare @found table (id binary(16) primary key);
declare @locked table (id binary(16) primary key);
begin transaction;
insert into @found select t.id from ready t where t.queue = @queue and t.blocked = 0 and t.push = 1 and t.dispatch_at is null;
insert into @locked select t.id from (select top (2147483647) id from @found order by id) as i
inner loop join ready t with (updlock, rowlock, forceseek) on t.id = i.id
where t.blocked = 0 and t.push = 1 and t.dispatch_at is null order by i.id option (force order, maxdop 1);
update r set dispatch_at = case when due_at > @now then due_at else @now end from @locked l inner loop join ready r with (rowlock, forceseek) on r.id = l.id;
commit;

-- RedispatchSql(@now DateTime2 0 6)
set xact_abort on;
declare @found table (id binary(16) primary key);
declare @locked table (id binary(16) primary key);
begin transaction;
insert into @found select t.id from ready t where t.dispatch_at is not null;
insert into @locked select t.id from (select top (2147483647) id from @found order by id) as i
inner loop join ready t with (updlock, rowlock, forceseek) on t.id = i.id
where t.dispatch_at is not null order by i.id option (force order, maxdop 1);
update r set dispatch_at = case when due_at > @now then due_at else @now end from @locked l inner loop join ready r with (rowlock, forceseek) on r.id = l.id;
commit;

-- ReleaseKeysSql(@keys NVarChar -1 0)
delete d from (select j.queue collate Latin1_General_100_BIN2 as queue, convert(varbinary(800), j.dedupe_key) as dedupe_key, convert(binary(16), j.id, 2) as id from openjson(@keys) with (queue nvarchar(128) '$[0]', dedupe_key nvarchar(400) '$[1]', id char(32) '$[2]') as j) as k inner loop join dedupe_keys d with (rowlock, forceseek) on d.queue = k.queue and d.dedupe_key = k.dedupe_key
where d.task_id = k.id

-- RemoveCallbacksSql(@before DateTime2 0 6, @max Int 0 0)
set nocount off;
delete c from (
    select top (@max) id from callbacks with (updlock, readpast, rowlock, readcommittedlock) where finished_at is not null and finished_at < @before
        order by finished_at) as f
inner loop join callbacks c with (rowlock, forceseek) on c.id = f.id

-- RemovePublishedSql(@before DateTime2 0 6, @max Int 0 0)
set nocount off;
delete o from (
    select top (@max) e.partition_id, e.id from outbox_partitions s cross apply (
        select top (@max) p.partition_id, p.id, p.at from outbox p where p.partition_id = s.id and p.id <= s.published_to
        order by p.id) as e
    where e.at < @before) as f
inner loop join outbox o with (rowlock, forceseek) on o.partition_id = f.partition_id and o.id = f.id

-- RemoveSql(@now DateTime2 0 6, @max Int 0 0)
set xact_abort on;
declare @gone table (id binary(16) primary key, queue nvarchar(128) collate Latin1_General_100_BIN2, dead bit, delete_at datetime2(6),
    owner varbinary(800));
insert into @gone
select top (@max) o.id, o.queue, o.dead, o.delete_at, o.owner from outcomes o with (updlock, readpast, rowlock, readcommittedlock)
where o.delete_at is not null and o.delete_at <= @now order by o.delete_at;
delete g from @gone g where g.delete_at >= (
    select dateadd(minute, -1, min(u.at)) from outbox_partitions s cross apply (
        select top (1) e.at from outbox e with (readpast, readcommittedlock, rowlock)
        where e.partition_id = s.id and e.id > s.published_to order by e.id) as u);
delete a from @gone g inner loop join attempts a with (rowlock, forceseek) on a.task_id = g.id;
delete l from @gone g inner loop join task_logs l with (rowlock, forceseek) on l.task_id = g.id;
delete o from @gone g inner loop join outcomes o with (rowlock, forceseek) on o.id = g.id;
delete k from @gone g inner loop join tasks t with (rowlock, forceseek) on t.id = g.id and t.tags is not null
cross apply openjson(concat(N'["', replace(string_escape(t.tags, 'json'), N',', N'","'), N'"]'))
    with (tag nvarchar(64) '$') as s
inner loop join task_tags k with (rowlock, forceseek) on k.tag = s.tag collate Latin1_General_100_BIN2 and k.task_id = g.id;
delete t from @gone g inner loop join tasks t with (rowlock, forceseek) on t.id = g.id;
select queue, dead, cast(owner as nvarchar(400)) as owner from @gone;

-- ResumeSql(@ids NVarChar -1 0, @rows NVarChar -1 0)
set xact_abort on;
delete r from (select convert(binary(16), j.id, 2) as id from openjson(@ids) with (id char(32) '$[0]') as j) as k inner loop join outcomes r with (rowlock, forceseek) on r.id = k.id;
insert into ready (id, state, queue, tier, priority, push, name, dedupe_key, ordering_key, blocked, error, attempt, attempts_left, max_attempts, retry, default_lease_ms, lease_ms, worker, claimed_by, created_at, due_at, expires_at, started_at, dispatch_at, ending, batch_id, owner, progress, octets, crashes)
select u.id, u.state, u.queue, u.tier, u.priority, u.push, u.name, u.dedupe_key, u.ordering_key, u.blocked, u.error, u.attempt, u.attempts_left, u.max_attempts, u.retry, u.default_lease_ms, u.lease_ms, u.worker, u.claimed_by, u.created_at, u.due_at, u.expires_at, u.started_at, u.dispatch_at, u.ending, u.batch_id, u.owner, u.progress, u.octets, u.crashes from (select convert(binary(16), j.id, 2) as id, j.state, j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.priority, j.push, convert(varbinary(800), j.name) as name, convert(varbinary(800), j.dedupe_key) as dedupe_key, convert(varbinary(800), j.ordering_key) as ordering_key, j.blocked, j.error collate Latin1_General_100_BIN2 as error, j.attempt, j.attempts_left, j.max_attempts, j.retry collate Latin1_General_100_BIN2 as retry, j.default_lease_ms, j.lease_ms, j.worker collate Latin1_General_100_BIN2 as worker, j.claimed_by collate Latin1_General_100_BIN2 as claimed_by, j.created_at, j.due_at, j.expires_at, j.started_at, j.dispatch_at, j.ending collate Latin1_General_100_BIN2 as ending, convert(binary(16), j.batch_id, 2) as batch_id, convert(varbinary(800), j.owner) as owner, j.progress collate Latin1_General_100_BIN2 as progress, j.octets, j.crashes from openjson(@rows) with (id char(32) '$[0]', state int '$[1]', queue nvarchar(128) '$[2]', tier int '$[3]', priority int '$[4]', push bit '$[5]', name nvarchar(400) '$[6]', dedupe_key nvarchar(400) '$[7]', ordering_key nvarchar(400) '$[8]', blocked bit '$[9]', error nvarchar(max) '$[10]', attempt int '$[11]', attempts_left int '$[12]', max_attempts int '$[13]', retry nvarchar(max) '$[14]', default_lease_ms int '$[15]', lease_ms int '$[16]', worker nvarchar(max) '$[17]', claimed_by nvarchar(max) '$[18]', created_at datetime2(6) '$[19]', due_at datetime2(6) '$[20]', expires_at datetime2(6) '$[21]', started_at datetime2(6) '$[22]', dispatch_at datetime2(6) '$[23]', ending nvarchar(max) '$[24]', batch_id char(32) '$[25]', owner nvarchar(400) '$[26]', progress nvarchar(max) '$[27]', octets int '$[28]', crashes int '$[29]') as j) as u order by u.id;

-- SaveOffsetsSql(@offsets NVarChar -1 0)
update s set published_to = u.published_to
from outbox_partitions s join (select j.id, j.published_to from openjson(@offsets) with (id int '$[0]', published_to bigint '$[1]') as j) as u on u.id = s.id
where s.published_to < u.published_to
  and exists (select 1 from outbox o where o.partition_id = s.id and o.id = u.published_to)

-- SelectDispatchSql(@now DateTime2 0 6, @max Int 0 0)
select top (@max) id from ready with (updlock, readpast, rowlock, readcommittedlock) where dispatch_at is not null and dispatch_at <= @now order by dispatch_at

-- SelectExpiredLeasesSql(@now DateTime2 0 6, @max Int 0 0)
select top (@max) id from running with (updlock, readpast, rowlock, readcommittedlock) where lease_until is not null and lease_until <= @now order by lease_until

-- SelectExpiredSql(@now DateTime2 0 6, @max Int 0 0)
select top (@max) id from ready with (updlock, readpast, rowlock, readcommittedlock) where expires_at is not null and expires_at <= @now order by expires_at

-- SettleCallbackSql(@id BigInt 0 0, @attempts Int 0 0, @state Int 0 0, @due DateTime2 0 6, @log NVarChar -1 0, @finished DateTime2 0 6)
update callbacks set state = @state, due_at = @due, log = @log, finished_at = @finished where id = @id and attempts = @attempts and state = 0

-- StartSql(@ids NVarChar -1 0, @rows NVarChar -1 0)
set xact_abort on;
delete r from (select convert(binary(16), j.id, 2) as id from openjson(@ids) with (id char(32) '$[0]') as j) as k inner loop join ready r with (rowlock, forceseek) on r.id = k.id;
insert into running (id, queue, tier, priority, push, name, dedupe_key, ordering_key, error, attempt, attempts_left, max_attempts, retry, default_lease_ms, lease_ms, lease_until, worker, claimed_by, created_at, due_at, expires_at, started_at, limited, ending, batch_id, owner, progress, octets, crashes)
select u.id, u.queue, u.tier, u.priority, u.push, u.name, u.dedupe_key, u.ordering_key, u.error, u.attempt, u.attempts_left, u.max_attempts, u.retry, u.default_lease_ms, u.lease_ms, u.lease_until, u.worker, u.claimed_by, u.created_at, u.due_at, u.expires_at, u.started_at, u.limited, u.ending, u.batch_id, u.owner, u.progress, u.octets, u.crashes from (select convert(binary(16), j.id, 2) as id, j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.priority, j.push, convert(varbinary(800), j.name) as name, convert(varbinary(800), j.dedupe_key) as dedupe_key, convert(varbinary(800), j.ordering_key) as ordering_key, j.error collate Latin1_General_100_BIN2 as error, j.attempt, j.attempts_left, j.max_attempts, j.retry collate Latin1_General_100_BIN2 as retry, j.default_lease_ms, j.lease_ms, j.lease_until, j.worker collate Latin1_General_100_BIN2 as worker, j.claimed_by collate Latin1_General_100_BIN2 as claimed_by, j.created_at, j.due_at, j.expires_at, j.started_at, j.limited, j.ending collate Latin1_General_100_BIN2 as ending, convert(binary(16), j.batch_id, 2) as batch_id, convert(varbinary(800), j.owner) as owner, j.progress collate Latin1_General_100_BIN2 as progress, j.octets, j.crashes from openjson(@rows) with (id char(32) '$[0]', queue nvarchar(128) '$[1]', tier int '$[2]', priority int '$[3]', push bit '$[4]', name nvarchar(400) '$[5]', dedupe_key nvarchar(400) '$[6]', ordering_key nvarchar(400) '$[7]', error nvarchar(max) '$[8]', attempt int '$[9]', attempts_left int '$[10]', max_attempts int '$[11]', retry nvarchar(max) '$[12]', default_lease_ms int '$[13]', lease_ms int '$[14]', lease_until datetime2(6) '$[15]', worker nvarchar(max) '$[16]', claimed_by nvarchar(max) '$[17]', created_at datetime2(6) '$[18]', due_at datetime2(6) '$[19]', expires_at datetime2(6) '$[20]', started_at datetime2(6) '$[21]', limited bit '$[22]', ending nvarchar(max) '$[23]', batch_id char(32) '$[24]', owner nvarchar(400) '$[25]', progress nvarchar(max) '$[26]', octets int '$[27]', crashes int '$[28]') as j) as u order by u.id;

-- StatsSql(@queue NVarChar 128 0, @now DateTime2 0 6)
select
    (select count_big(*) from ready t where t.queue = @queue and t.blocked = 0) + (select count_big(*) from ready t where t.queue = @queue and t.ordering_key is not null and t.blocked = 1),
    (select count_big(*) from running where queue = @queue),
    (select count_big(*) from outcomes where queue = @queue and dead = 1 and (delete_at is null or delete_at > @now)),
    (select coalesce(sum(count), 0) from queue_counts where queue = @queue and type = 3),
    (select coalesce(sum(count), 0) from queue_counts where queue = @queue and type = 7),
    (select min(t.due_at) from ready t where t.queue = @queue and t.blocked = 0 and t.due_at <= @now and (t.expires_at is null or t.expires_at > @now))

-- StrictClaimSql(@targets NVarChar -1 0, @max Int 0 0, @shares NVarChar -1 0, @now DateTime2 0 6, @due DateTime2 0 6, @retries Int 0 0, @limits NVarChar -1 0, @ns BigInt 0 0, @order Int 0 0, @hold Int 0 0, @max_octets BigInt 0 0)
set xact_abort on;
declare @taken table (id binary(16), queue nvarchar(128) collate Latin1_General_100_BIN2, tier int, priority int, push bit, name varbinary(800), dedupe_key varbinary(800), ordering_key varbinary(800), error nvarchar(max) collate Latin1_General_100_BIN2, attempt int, attempts_left int, max_attempts int, retry nvarchar(max) collate Latin1_General_100_BIN2, default_lease_ms int, lease_ms int, worker nvarchar(max) collate Latin1_General_100_BIN2, claimed_by nvarchar(max) collate Latin1_General_100_BIN2, created_at datetime2(6), due_at datetime2(6), expires_at datetime2(6), started_at datetime2(6), ending nvarchar(max) collate Latin1_General_100_BIN2, batch_id binary(16), owner varbinary(800), progress nvarchar(max) collate Latin1_General_100_BIN2, octets int, crashes int,
    place bigint, share int, new_worker nvarchar(max) collate Latin1_General_100_BIN2, new_claimed_by nvarchar(max) collate Latin1_General_100_BIN2,
    new_lease int);
with allowances as (
    select g.queue, case when a.running < a.tokens then a.running else a.tokens end as allowed
    from (select j.queue collate Latin1_General_100_BIN2 as queue, j.max_running, j.period_ns, j.max_tokens from openjson(@limits) with (queue nvarchar(128) '$[0]', max_running int '$[1]', period_ns bigint '$[2]', max_tokens bigint '$[3]') as j) as g inner loop join queue_limits b with (forceseek) on b.queue = g.queue
    cross apply (select case when b.bucket_base > @ns - g.max_tokens * g.period_ns then b.bucket_base
        else @ns - g.max_tokens * g.period_ns end as base) as k
    cross apply (select
        case when g.max_running = 0 then @max else g.max_running
            - (select count(*) from running h with (readcommittedlock) where h.queue = g.queue and h.limited = 1) end as running,
        case when g.period_ns = 0 then @max else (@ns - k.base) / g.period_ns end as tokens) as a),
limits as (
    select q.queue, q.tier, q.ord,
        case when g.allowed is null or g.allowed > @max then @max when g.allowed < 0 then 0 else g.allowed end as allowed
    from (select j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.ord from openjson(@targets) with (queue nvarchar(128) '$[0]', tier int '$[1]', ord int '$[2]') as j) as q left join allowances g on g.queue = q.queue),
found as (
    select c.id, c.due_at, c.created_at, c.octets, q.queue, q.ord, p.priority, q.allowed,
        row_number() over (partition by q.ord order by p.priority desc, c.due_at, c.created_at, c.id) as turn
    from limits q cross join (values (4), (3), (2), (1)) as p(priority)
    cross apply (select top (case when @order = 4 and q.allowed > 1 then 1 else q.allowed end) r.id, r.due_at, r.created_at, cast(r.octets as bigint) as octets from ready r 
where r.queue = q.queue and r.tier = q.tier and r.priority = p.priority and r.blocked = 0 and r.push = 0 and r.due_at <= @due
  and (r.expires_at is null or r.expires_at > @now)
order by r.due_at, r.created_at, r.id) as c
    where @order <> 4 or not exists (
        select 1 from queue_locks l join running h on h.id = l.task_id
        where l.queue = q.queue and l.tier = q.tier and l.until > @now and h.attempt = l.attempt)),
placed as (
    select f.id, f.allowed, f.octets, row_number() over (order by case when @order = 2 then f.turn else 0 end, case when @order = 1 then 0 else f.ord end, case when @order = 1 then 0 else -f.priority end, f.due_at, f.created_at, f.id) as place,
        row_number() over (partition by f.queue order by case when @order = 2 then f.turn else 0 end, case when @order = 1 then 0 else f.ord end, case when @order = 1 then 0 else -f.priority end, f.due_at, f.created_at, f.id) as number
    from found f where @order <> 4 or f.turn = 1),
picked as (
    select top (@max) n.id, n.place, n.octets, row_number() over (order by n.place) as taken,
        sum(n.octets) over (order by n.place rows unbounded preceding) as octets_so_far
    from placed n where n.number <= n.allowed order by n.place),
due as (
    select n.id, n.place, s.share, s.worker, s.claimed_by, s.lease from picked n cross apply (select w.id from ready w with (updlock, readpast, rowlock, forceseek) where w.id = n.id and w.blocked = 0) as l
    cross apply (
        select top (1) s.share, s.worker, s.claimed_by, s.lease
        from (select j.share, j.up_to, j.worker collate Latin1_General_100_BIN2 as worker, j.claimed_by collate Latin1_General_100_BIN2 as claimed_by, j.lease from openjson(@shares) with (share int '$[0]', up_to int '$[1]', worker nvarchar(max) '$[2]', claimed_by nvarchar(128) '$[3]', lease int '$[4]') as j) as s where s.up_to >= n.taken order by s.up_to, s.share) as s
    where n.octets_so_far <= @max_octets or n.octets_so_far = n.octets)
delete r
output deleted.id, deleted.queue, deleted.tier, deleted.priority, deleted.push, deleted.name, deleted.dedupe_key, deleted.ordering_key, deleted.error, deleted.attempt, deleted.attempts_left, deleted.max_attempts, deleted.retry, deleted.default_lease_ms, deleted.lease_ms, deleted.worker, deleted.claimed_by, deleted.created_at, deleted.due_at, deleted.expires_at, deleted.started_at, deleted.ending, deleted.batch_id, deleted.owner, deleted.progress, deleted.octets, deleted.crashes, d.place, d.share, d.worker, d.claimed_by, d.lease into @taken
from due d inner loop join ready r with (rowlock, forceseek) on r.id = d.id
where r.blocked = 0
option (maxdop 1, optimize for (@max = 1));
if @@rowcount = 0 return;
insert into running (id, queue, tier, priority, push, name, dedupe_key, ordering_key, error, attempt, attempts_left, max_attempts, retry, default_lease_ms, lease_ms, lease_until, worker, claimed_by, created_at, due_at, expires_at, started_at, limited, ending, batch_id, owner, progress, octets, crashes)
select t.id, t.queue, t.tier, t.priority, t.push, t.name, t.dedupe_key, t.ordering_key, t.error, t.attempt + 1, case when @retries is null then t.attempts_left - 1 when t.tier = 0 then 0 when @retries < 0 then 100 when @retries > t.attempt then @retries - t.attempt else 0 end, t.max_attempts, t.retry, t.default_lease_ms, case when t.new_lease <> 0 then t.new_lease when t.new_lease is null then t.default_lease_ms when datediff_big(microsecond, @now, coalesce(t.expires_at, dateadd(day, 24, @now))) / 1000 > 2147483647 then 2147483647 else datediff_big(microsecond, @now, coalesce(t.expires_at, dateadd(day, 24, @now))) / 1000 end, case when t.new_lease = 0 then coalesce(t.expires_at, dateadd(day, 24, @now)) else dateadd(millisecond, coalesce(t.new_lease, t.default_lease_ms), @now) end, t.new_worker, t.new_claimed_by, t.created_at, t.due_at, t.expires_at, @now, case when exists (select 1 from (select j.queue collate Latin1_General_100_BIN2 as queue, j.max_running, j.period_ns, j.max_tokens from openjson(@limits) with (queue nvarchar(128) '$[0]', max_running int '$[1]', period_ns bigint '$[2]', max_tokens bigint '$[3]') as j) as g where g.queue = t.queue) then 1 else 0 end, t.ending, t.batch_id, t.owner, t.progress, t.octets, t.crashes from @taken t;
update b set bucket_base = n.tasks * g.period_ns
    + case when b.bucket_base > @ns - g.max_tokens * g.period_ns then b.bucket_base else @ns - g.max_tokens * g.period_ns end
from (select j.queue collate Latin1_General_100_BIN2 as queue, j.max_running, j.period_ns, j.max_tokens from openjson(@limits) with (queue nvarchar(128) '$[0]', max_running int '$[1]', period_ns bigint '$[2]', max_tokens bigint '$[3]') as j) as g inner loop join queue_limits b with (rowlock, forceseek) on b.queue = g.queue
join (select queue, count(*) as tasks from @taken group by queue) as n on n.queue = b.queue
where g.period_ns > 0;
if @order = 4
begin
    delete l from @taken c inner loop join queue_locks l with (rowlock, forceseek) on l.queue = c.queue and l.tier = c.tier;
    insert into queue_locks (queue, tier, task_id, attempt, until)
    select queue, tier, id, attempt + 1, dateadd(millisecond, @hold, @now) from @taken;
end;
select k.share, k.place, r.id, 4 as state, r.queue, r.tier, r.priority, r.push, cast(r.name as nvarchar(400)) as name, cast(r.dedupe_key as nvarchar(400)) as dedupe_key, cast(r.ordering_key as nvarchar(400)) as ordering_key, cast(0 as bit) as blocked, t.payload, t.headers, r.attempt, r.attempts_left, r.max_attempts, r.retry, r.default_lease_ms, r.lease_ms, r.lease_until, r.worker, r.claimed_by, r.created_at, r.due_at, r.expires_at, r.started_at, cast(null as datetime2(6)) as finished_at, r.limited, cast(0 as bit) as dead, cast(null as datetime2(6)) as delete_at, cast(null as datetime2(6)) as dispatch_at, r.ending, r.batch_id, cast(r.owner as nvarchar(400)) as owner, t.tags, t.schedule_id, r.progress
from @taken k inner loop join running r with (rowlock, forceseek) on r.id = k.id inner loop join tasks t with (rowlock, forceseek) on t.id = r.id;

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

-- UpdateOutcomesSql(@rows NVarChar -1 0)
update r set state = u.state, error = u.error, attempt = u.attempt, attempts_left = u.attempts_left, lease_ms = u.lease_ms, worker = u.worker, claimed_by = u.claimed_by, due_at = u.due_at, expires_at = u.expires_at, started_at = u.started_at, finished_at = u.finished_at, dead = u.dead, delete_at = u.delete_at, progress = u.progress
from (select convert(binary(16), j.id, 2) as id, j.state, j.error collate Latin1_General_100_BIN2 as error, j.attempt, j.attempts_left, j.lease_ms, j.worker collate Latin1_General_100_BIN2 as worker, j.claimed_by collate Latin1_General_100_BIN2 as claimed_by, j.due_at, j.expires_at, j.started_at, j.finished_at, j.dead, j.delete_at, j.progress collate Latin1_General_100_BIN2 as progress from openjson(@rows) with (id char(32) '$[0]', state int '$[1]', error nvarchar(max) '$[2]', attempt int '$[3]', attempts_left int '$[4]', lease_ms int '$[5]', worker nvarchar(max) '$[6]', claimed_by nvarchar(max) '$[7]', due_at datetime2(6) '$[8]', expires_at datetime2(6) '$[9]', started_at datetime2(6) '$[10]', finished_at datetime2(6) '$[11]', dead bit '$[12]', delete_at datetime2(6) '$[13]', progress nvarchar(max) '$[14]') as j) as u inner loop join outcomes r with (rowlock, forceseek) on r.id = u.id

-- UpdateReadySql(@rows NVarChar -1 0)
update r set state = u.state, blocked = u.blocked, error = u.error, attempt = u.attempt, attempts_left = u.attempts_left, lease_ms = u.lease_ms, worker = u.worker, claimed_by = u.claimed_by, due_at = u.due_at, expires_at = u.expires_at, started_at = u.started_at, dispatch_at = u.dispatch_at, progress = u.progress, octets = u.octets, crashes = u.crashes
from (select convert(binary(16), j.id, 2) as id, j.state, j.blocked, j.error collate Latin1_General_100_BIN2 as error, j.attempt, j.attempts_left, j.lease_ms, j.worker collate Latin1_General_100_BIN2 as worker, j.claimed_by collate Latin1_General_100_BIN2 as claimed_by, j.due_at, j.expires_at, j.started_at, j.dispatch_at, j.progress collate Latin1_General_100_BIN2 as progress, j.octets, j.crashes from openjson(@rows) with (id char(32) '$[0]', state int '$[1]', blocked bit '$[2]', error nvarchar(max) '$[3]', attempt int '$[4]', attempts_left int '$[5]', lease_ms int '$[6]', worker nvarchar(max) '$[7]', claimed_by nvarchar(max) '$[8]', due_at datetime2(6) '$[9]', expires_at datetime2(6) '$[10]', started_at datetime2(6) '$[11]', dispatch_at datetime2(6) '$[12]', progress nvarchar(max) '$[13]', octets int '$[14]', crashes int '$[15]') as j) as u inner loop join ready r with (rowlock, forceseek) on r.id = u.id

-- UpdateRunningSql(@rows NVarChar -1 0)
update r set error = u.error, attempt = u.attempt, attempts_left = u.attempts_left, lease_ms = u.lease_ms, lease_until = u.lease_until, worker = u.worker, claimed_by = u.claimed_by, due_at = u.due_at, expires_at = u.expires_at, started_at = u.started_at, limited = u.limited, progress = u.progress, octets = u.octets, crashes = u.crashes
from (select convert(binary(16), j.id, 2) as id, j.error collate Latin1_General_100_BIN2 as error, j.attempt, j.attempts_left, j.lease_ms, j.lease_until, j.worker collate Latin1_General_100_BIN2 as worker, j.claimed_by collate Latin1_General_100_BIN2 as claimed_by, j.due_at, j.expires_at, j.started_at, j.limited, j.progress collate Latin1_General_100_BIN2 as progress, j.octets, j.crashes from openjson(@rows) with (id char(32) '$[0]', error nvarchar(max) '$[1]', attempt int '$[2]', attempts_left int '$[3]', lease_ms int '$[4]', lease_until datetime2(6) '$[5]', worker nvarchar(max) '$[6]', claimed_by nvarchar(max) '$[7]', due_at datetime2(6) '$[8]', expires_at datetime2(6) '$[9]', started_at datetime2(6) '$[10]', limited bit '$[11]', progress nvarchar(max) '$[12]', octets int '$[13]', crashes int '$[14]') as j) as u inner loop join running r with (rowlock, forceseek) on r.id = u.id

-- WaitSql(@ids NVarChar -1 0, @rows NVarChar -1 0)
set xact_abort on;
delete r from (select convert(binary(16), j.id, 2) as id from openjson(@ids) with (id char(32) '$[0]') as j) as k inner loop join running r with (rowlock, forceseek) on r.id = k.id;
insert into ready (id, state, queue, tier, priority, push, name, dedupe_key, ordering_key, blocked, error, attempt, attempts_left, max_attempts, retry, default_lease_ms, lease_ms, worker, claimed_by, created_at, due_at, expires_at, started_at, dispatch_at, ending, batch_id, owner, progress, octets, crashes)
select u.id, u.state, u.queue, u.tier, u.priority, u.push, u.name, u.dedupe_key, u.ordering_key, u.blocked, u.error, u.attempt, u.attempts_left, u.max_attempts, u.retry, u.default_lease_ms, u.lease_ms, u.worker, u.claimed_by, u.created_at, u.due_at, u.expires_at, u.started_at, u.dispatch_at, u.ending, u.batch_id, u.owner, u.progress, u.octets, u.crashes from (select convert(binary(16), j.id, 2) as id, j.state, j.queue collate Latin1_General_100_BIN2 as queue, j.tier, j.priority, j.push, convert(varbinary(800), j.name) as name, convert(varbinary(800), j.dedupe_key) as dedupe_key, convert(varbinary(800), j.ordering_key) as ordering_key, j.blocked, j.error collate Latin1_General_100_BIN2 as error, j.attempt, j.attempts_left, j.max_attempts, j.retry collate Latin1_General_100_BIN2 as retry, j.default_lease_ms, j.lease_ms, j.worker collate Latin1_General_100_BIN2 as worker, j.claimed_by collate Latin1_General_100_BIN2 as claimed_by, j.created_at, j.due_at, j.expires_at, j.started_at, j.dispatch_at, j.ending collate Latin1_General_100_BIN2 as ending, convert(binary(16), j.batch_id, 2) as batch_id, convert(varbinary(800), j.owner) as owner, j.progress collate Latin1_General_100_BIN2 as progress, j.octets, j.crashes from openjson(@rows) with (id char(32) '$[0]', state int '$[1]', queue nvarchar(128) '$[2]', tier int '$[3]', priority int '$[4]', push bit '$[5]', name nvarchar(400) '$[6]', dedupe_key nvarchar(400) '$[7]', ordering_key nvarchar(400) '$[8]', blocked bit '$[9]', error nvarchar(max) '$[10]', attempt int '$[11]', attempts_left int '$[12]', max_attempts int '$[13]', retry nvarchar(max) '$[14]', default_lease_ms int '$[15]', lease_ms int '$[16]', worker nvarchar(max) '$[17]', claimed_by nvarchar(max) '$[18]', created_at datetime2(6) '$[19]', due_at datetime2(6) '$[20]', expires_at datetime2(6) '$[21]', started_at datetime2(6) '$[22]', dispatch_at datetime2(6) '$[23]', ending nvarchar(max) '$[24]', batch_id char(32) '$[25]', owner nvarchar(400) '$[26]', progress nvarchar(max) '$[27]', octets int '$[28]', crashes int '$[29]') as j) as u order by u.id;

-- WriteWorkersSql(@rows NVarChar -1 0)
set xact_abort on;
begin transaction;
update w set
    transport = case when (r.instance <> w.instance and r.started_at <= w.started_at) then w.transport else coalesce(r.transport, w.transport) end,
    version = case when r.transport is null or (r.instance <> w.instance and r.started_at <= w.started_at) then w.version else r.version end,
    host = case when r.transport is null or (r.instance <> w.instance and r.started_at <= w.started_at) then w.host else r.host end,
    slots = case when r.transport is null or (r.instance <> w.instance and r.started_at <= w.started_at) then w.slots else r.slots end,
    instance = case when (r.instance <> w.instance and r.started_at <= w.started_at) then w.instance else coalesce(r.instance, w.instance) end,
    queues = case when (r.instance <> w.instance and r.started_at <= w.started_at) then w.queues else coalesce(r.queues, w.queues) end,
    started_at = case when ((r.instance <> w.instance and r.started_at > w.started_at) or (w.state = 2 and r.last_seen_at > w.last_seen_at)) then r.started_at else w.started_at end,
    last_seen_at = case when r.last_seen_at > w.last_seen_at then r.last_seen_at else w.last_seen_at end,
    state = case when (r.stopped = 1 and r.last_seen_at >= w.last_seen_at) then 2 when r.last_seen_at > w.last_seen_at then 0 else w.state end,
    draining = case when (r.stopped = 1 and r.last_seen_at >= w.last_seen_at) or ((r.instance <> w.instance and r.started_at > w.started_at) or (w.state = 2 and r.last_seen_at > w.last_seen_at)) then 0 else w.draining end,
    lost_retried = case when ((r.instance <> w.instance and r.started_at > w.started_at) or (w.state = 2 and r.last_seen_at > w.last_seen_at)) then 0 else w.lost_retried end,
    lost_failed = case when ((r.instance <> w.instance and r.started_at > w.started_at) or (w.state = 2 and r.last_seen_at > w.last_seen_at)) then 0 else w.lost_failed end,
    lost_at = case when ((r.instance <> w.instance and r.started_at > w.started_at) or (w.state = 2 and r.last_seen_at > w.last_seen_at)) then null else w.lost_at end
from (select j.id collate Latin1_General_100_BIN2 as id, j.name collate Latin1_General_100_BIN2 as name, convert(varbinary(800), j.owner) as owner, j.credential collate Latin1_General_100_BIN2 as credential, j.transport collate Latin1_General_100_BIN2 as transport, j.version collate Latin1_General_100_BIN2 as version, j.host collate Latin1_General_100_BIN2 as host, j.slots, j.instance collate Latin1_General_100_BIN2 as instance, j.queues collate Latin1_General_100_BIN2 as queues, j.started_at, j.last_seen_at, j.stopped from openjson(@rows) with (id nvarchar(32) '$[0]', name nvarchar(200) '$[1]', owner nvarchar(400) '$[2]', credential nvarchar(256) '$[3]', transport nvarchar(16) '$[4]', version nvarchar(100) '$[5]', host nvarchar(200) '$[6]', slots int '$[7]', instance nvarchar(64) '$[8]', queues nvarchar(max) '$[9]', started_at datetime2(6) '$[10]', last_seen_at datetime2(6) '$[11]', stopped bit '$[12]') as j) as r inner loop join workers w with (updlock, holdlock, rowlock, forceseek) on w.id = r.id;
insert into workers (id, name, owner, credential, transport, version, host, slots, instance, queues, started_at, last_seen_at,
    state, draining, lost_retried, lost_failed)
select r.id, r.name, r.owner, r.credential, r.transport, r.version, r.host, r.slots, r.instance, coalesce(r.queues, N''),
    r.started_at, r.last_seen_at, case when r.stopped = 1 then 2 else 0 end, 0, 0, 0
from (select j.id collate Latin1_General_100_BIN2 as id, j.name collate Latin1_General_100_BIN2 as name, convert(varbinary(800), j.owner) as owner, j.credential collate Latin1_General_100_BIN2 as credential, j.transport collate Latin1_General_100_BIN2 as transport, j.version collate Latin1_General_100_BIN2 as version, j.host collate Latin1_General_100_BIN2 as host, j.slots, j.instance collate Latin1_General_100_BIN2 as instance, j.queues collate Latin1_General_100_BIN2 as queues, j.started_at, j.last_seen_at, j.stopped from openjson(@rows) with (id nvarchar(32) '$[0]', name nvarchar(200) '$[1]', owner nvarchar(400) '$[2]', credential nvarchar(256) '$[3]', transport nvarchar(16) '$[4]', version nvarchar(100) '$[5]', host nvarchar(200) '$[6]', slots int '$[7]', instance nvarchar(64) '$[8]', queues nvarchar(max) '$[9]', started_at datetime2(6) '$[10]', last_seen_at datetime2(6) '$[11]', stopped bit '$[12]') as j) as r
where r.transport is not null and not exists (select 1 from workers k with (updlock, holdlock, rowlock) where k.id = r.id);
commit;
