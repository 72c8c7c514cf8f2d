using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Files;

namespace TaskQueue.Storage;

/// <summary>Maps the tables of files, batches, callbacks and locks.</summary>
internal static class CommonTables
{
    public static void Map(ModelBuilder model)
    {
        model.Entity<FileRecord>(MapFiles);
        model.Entity<FileChunk>(e =>
        {
            e.ToTable("file_chunks").HasKey(x => new { x.FileId, x.Number });
            e.Property(x => x.FileId).HasColumnName("file_id").HasMaxLength(64);
            e.Property(x => x.Number).HasColumnName("number");
            e.Property(x => x.Data).HasColumnName("data");
        });
        model.Entity<Callback>(MapCallbacks);
        model.Entity<BatchState>(MapBatches);
        model.Entity<BatchCount>(e =>
        {
            e.ToTable("batch_counts").HasKey(x => new { x.BatchId, x.Partition, x.End });
            e.Property(x => x.BatchId).HasColumnName("batch_id");
            e.Property(x => x.Partition).HasColumnName("partition_id");
            e.Property(x => x.End).HasColumnName("line_end");
            e.Property(x => x.Count).HasColumnName("count");
        });
        model.Entity<InvalidBatchItem>(e =>
        {
            e.ToTable("batch_bad_lines").HasKey(x => new { x.BatchId, x.Line });
            e.Property(x => x.BatchId).HasColumnName("batch_id");
            e.Property(x => x.Line).HasColumnName("line");
            e.Property(x => x.CustomId).HasColumnName("custom_id");
            e.Property(x => x.Code).HasColumnName("code").HasMaxLength(64);
            e.Property(x => x.Message).HasColumnName("message");
        });
        model.Entity<QueueLock>(e =>
        {
            e.ToTable("queue_locks").HasKey(x => new { x.Queue, x.Tier });
            e.Property(x => x.Queue).HasColumnName("queue").HasMaxLength(128);
            e.Property(x => x.Tier).HasColumnName("tier");
            e.Property(x => x.TaskId).HasColumnName("task_id");
            e.Property(x => x.Attempt).HasColumnName("attempt");
            e.Property(x => x.Until).HasColumnName("until");
        });
    }

    private static void MapFiles(EntityTypeBuilder<FileRecord> e)
    {
        e.ToTable("files").HasKey(x => x.Id);
        e.Property(x => x.Id).HasColumnName("id").HasMaxLength(64);
        e.Property(x => x.Owner).HasColumnName("owner").HasMaxLength(128);
        e.Property(x => x.Purpose).HasColumnName("purpose").HasMaxLength(64);
        e.Property(x => x.FileName).HasColumnName("file_name").HasMaxLength(1024);
        e.Property(x => x.Bytes).HasColumnName("bytes");
        e.Property(x => x.CreatedAt).HasColumnName("created_at");
        e.Property(x => x.ExpiresAt).HasColumnName("expires_at");
        e.Property(x => x.RequestKey).HasColumnName("request_key").HasMaxLength(64);
        e.Property(x => x.Ready).HasColumnName("ready");
        e.HasIndex(x => new { x.CreatedAt, x.Id }, "ix_files_created");
        e.HasIndex(x => x.ExpiresAt, "ix_files_expires").HasFilter("expires_at is not null");
        e.HasIndex(x => x.RequestKey, "ux_files_request_key").IsUnique().HasFilter("request_key is not null");
    }

    private static void MapCallbacks(EntityTypeBuilder<Callback> e)
    {
        e.ToTable("callbacks").HasKey(x => x.Id);
        e.Property(x => x.Id).HasColumnName("id").ValueGeneratedOnAdd();
        e.Property(x => x.SubjectId).HasColumnName("subject_id");
        e.Property(x => x.Url).HasColumnName("url");
        e.Property(x => x.Body).HasColumnName("body");
        e.Property(x => x.State).HasColumnName("state");
        e.Property(x => x.Attempts).HasColumnName("attempts");
        e.Property(x => x.DueAt).HasColumnName("due_at");
        e.Property(x => x.Log).HasColumnName("log");
        e.Property(x => x.CreatedAt).HasColumnName("created_at");
        e.Property(x => x.FinishedAt).HasColumnName("finished_at");
        e.Property(x => x.Owner).HasColumnName("owner").HasMaxLength(128);
        e.Property(x => x.Origin).HasColumnName("origin").HasMaxLength(300);
        e.HasIndex(x => x.DueAt, "ix_callbacks_due").HasFilter($"state = {SqlStates.CallbackWaiting}");
        e.HasIndex(x => x.SubjectId, "ix_callbacks_subject");
        e.HasIndex(x => x.FinishedAt, "ix_callbacks_finished").HasFilter("finished_at is not null");
    }

    private static void MapBatches(EntityTypeBuilder<BatchState> e)
    {
        e.ToTable("batches").HasKey(x => x.CorrelationId);
        e.Property(x => x.CorrelationId).HasColumnName("id").ValueGeneratedNever();
        e.Property(x => x.State).HasColumnName("state");
        e.Property(x => x.Queue).HasColumnName("queue").HasMaxLength(128);
        e.Property(x => x.Tier).HasColumnName("tier");
        e.Property(x => x.Endpoint).HasColumnName("endpoint").HasMaxLength(256);
        e.Property(x => x.CompletionWindow).HasColumnName("completion_window").HasMaxLength(16);
        e.Property(x => x.InputFileId).HasColumnName("input_file_id").HasMaxLength(64);
        e.Property(x => x.OutputFileId).HasColumnName("output_file_id").HasMaxLength(64);
        e.Property(x => x.ErrorFileId).HasColumnName("error_file_id").HasMaxLength(64);
        e.Property(x => x.Strict).HasColumnName("strict");
        e.Property(x => x.Owner).HasColumnName("owner").HasMaxLength(128);
        e.Property(x => x.Submitter).HasColumnName("submitter_key");
        e.Property(x => x.Metadata).HasColumnName("metadata");
        e.Property(x => x.CallbackUrl).HasColumnName("callback_url");
        e.Property(x => x.Errors).HasColumnName("errors");
        e.Property(x => x.Model).HasColumnName("model").HasMaxLength(256);
        e.Property(x => x.Usage).HasColumnName("usage");
        e.Property(x => x.OutputExpiresAfter).HasColumnName("output_expires_after");
        e.Property(x => x.Deduplicate).HasColumnName("deduplicate");
        e.Property(x => x.RetryOf).HasColumnName("retry_of");
        e.Property(x => x.RequestKey).HasColumnName("request_key").HasMaxLength(64);
        e.Property(x => x.Total).HasColumnName("total");
        e.Property(x => x.BadLines).HasColumnName("bad_lines");
        e.Property(x => x.Completed).HasColumnName("completed");
        e.Property(x => x.FailedLines).HasColumnName("failed_lines");
        e.Property(x => x.LinesDone).HasColumnName("lines_done");
        e.Property(x => x.BytesDone).HasColumnName("bytes_done");
        e.Property(x => x.WorkedUntil).HasColumnName("worked_until");
        e.Property(x => x.CreatedAt).HasColumnName("created_at");
        e.Property(x => x.DeadlineAt).HasColumnName("deadline_at");
        e.Property(x => x.InProgressAt).HasColumnName("in_progress_at");
        e.Property(x => x.FinalizingAt).HasColumnName("finalizing_at");
        e.Property(x => x.CancellingAt).HasColumnName("cancelling_at");
        e.Property(x => x.FinishedAt).HasColumnName("finished_at");
        e.Property(x => x.Version).HasColumnName("version").IsConcurrencyToken();
        e.HasIndex(x => new { x.CreatedAt, x.CorrelationId }, "ix_batches_created");
        e.HasIndex(x => x.RequestKey, "ux_batches_request_key").IsUnique().HasFilter("request_key is not null");
        e.HasIndex(x => x.State, "ix_batches_live").HasFilter($"state < {BatchStates.Completed}");
    }
}

/// <summary>
/// A row of table <c>queue_locks</c>: the task of the last sequential claim. It locks its queue and tier while that attempt runs, at most
/// until a safety limit, so it needs no release.
/// </summary>
public sealed class QueueLock
{
    /// <summary>Base name.</summary>
    public string Queue { get; set; } = "";

    /// <summary>Tier.</summary>
    public int Tier { get; set; }

    /// <summary>The task that holds the lock.</summary>
    public Guid TaskId { get; set; }

    /// <summary>The claimed attempt.</summary>
    public int Attempt { get; set; }

    /// <summary>When the lock expires, whatever the task does.</summary>
    public DateTime Until { get; set; }
}
