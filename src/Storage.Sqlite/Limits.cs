using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

/// <summary>Queue limits within the transaction of a claim.</summary>
internal sealed partial class SqliteTaskStore
{
    private const string RunningSql = "select count(*) from running where queue = @queue and limited";

    private const string BucketSql = "select bucket_base from queue_limits where queue = @queue";

    private const string SpendSql = "update queue_limits set bucket_base = @bucket_base where queue = @queue";

    private OpenedLimit OpenLimit(QueueLimit limit, long nowMicros)
    {
        long allowed = int.MaxValue;
        if (limit.MaxRunning > 0)
            allowed = Math.Max(0, limit.MaxRunning - Query(RunningSql, r => r.GetInt64(0), ("@queue", limit.Queue))[0]);
        long bucket = 0;
        if (limit.Rate is { } rate)
        {
            var now = nowMicros * 1000;
            var stored = Query(BucketSql, r => r.GetInt64(0), ("@queue", limit.Queue)).SingleOrDefault();
            bucket = Math.Max(stored, now - (rate.MaxTokens * rate.PeriodNs));
            allowed = Math.Min(allowed, Math.Max(0, (now - bucket) / rate.PeriodNs));
        }

        return new OpenedLimit(limit, (int)allowed, bucket);
    }

    private void CloseLimit(OpenedLimit limit)
    {
        if (limit.Limit.Rate is { } rate && limit.Taken > 0)
            Execute(SpendSql, ("@queue", limit.Limit.Queue), ("@bucket_base", limit.Bucket + (limit.Taken * rate.PeriodNs)));
    }

    private sealed record OpenedLimit(QueueLimit Limit, int Allowed, long Bucket)
    {
        /// <summary>Number of tasks claimed under it.</summary>
        public int Taken { get; set; }
    }
}
