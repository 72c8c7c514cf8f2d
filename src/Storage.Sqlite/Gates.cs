using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

/// <summary>The limits of queues, in the transaction of a claim.</summary>
internal sealed partial class SqliteTaskStore
{
    private const string RunningSql = "select count(*) from tasks where queue = @0 and state = 4 and gated";

    private const string BucketSql = "select bucket_base from queue_gates where queue = @0";

    private const string SpendSql = "update queue_gates set bucket_base = @1 where queue = @0";

    private OpenedLimit OpenGate(QueueLimit gate, long nowMicros)
    {
        long allowed = int.MaxValue;
        if (gate.MaxRunning > 0)
            allowed = Math.Max(0, gate.MaxRunning - Query(RunningSql, r => r.GetInt64(0), gate.Queue)[0]);
        long bucket = 0;
        if (gate.Rate is { } rate)
        {
            var now = nowMicros * 1000;
            var stored = Query(BucketSql, r => r.GetInt64(0), gate.Queue).SingleOrDefault();
            bucket = Math.Max(stored, now - (rate.MaxTokens * rate.PeriodNs));
            allowed = Math.Min(allowed, Math.Max(0, (now - bucket) / rate.PeriodNs));
        }

        return new OpenedLimit(gate, (int)allowed, bucket);
    }

    private void CloseGate(OpenedLimit gate)
    {
        if (gate.Gate.Rate is { } rate && gate.Taken > 0)
            Execute(SpendSql, gate.Gate.Queue, gate.Bucket + (gate.Taken * rate.PeriodNs));
    }

    private sealed record OpenedLimit(QueueLimit Gate, int Allowed, long Bucket)
    {
        /// <summary>Tasks claimed through it.</summary>
        public int Taken { get; set; }
    }
}
