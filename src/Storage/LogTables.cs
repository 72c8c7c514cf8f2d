using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Failures;
using TaskQueue.Engine.Logs;

namespace TaskQueue.Storage;

/// <summary>Maps the tables of what workers log, and of groups of failures.</summary>
internal static class LogTables
{
    private const int NameLength = 128, TaskNameLength = 256;

    public static void Map(ModelBuilder model)
    {
        model.Entity<TaskLogRow>(e =>
        {
            e.ToTable("task_logs").HasKey(x => new { x.TaskId, x.Number });
            e.Property(x => x.TaskId).HasColumnName("task_id");
            e.Property(x => x.Number).HasColumnName("number");
            e.Property(x => x.Count).HasColumnName("lines");
            e.Property(x => x.BytesBefore).HasColumnName("bytes_before");
            e.Property(x => x.Bytes).HasColumnName("bytes");
            e.Property(x => x.Attempt).HasColumnName("attempt");
            e.Property(x => x.Lines).HasColumnName("entries");
        });
        model.Entity<FailureGroup>(e =>
        {
            e.ToTable("failure_groups").HasKey(x => x.Id);
            e.Property(x => x.Id).HasColumnName("id").ValueGeneratedNever();
            e.Property(x => x.Kind).HasColumnName("kind");
            e.Property(x => x.Owner).HasColumnName("owner").HasMaxLength(NameLength);
            e.Property(x => x.Queue).HasColumnName("queue").HasMaxLength(NameLength);
            e.Property(x => x.Name).HasColumnName("task_name").HasMaxLength(TaskNameLength);
            e.Property(x => x.ErrorType).HasColumnName("error_type"); // encrypted it is several times as long
            e.Property(x => x.Message).HasColumnName("message");
            e.Property(x => x.State).HasColumnName("state");
            e.Property(x => x.Regressed).HasColumnName("regressed");
            e.Property(x => x.Count).HasColumnName("count");
            e.Property(x => x.FirstSeenAt).HasColumnName("first_seen_at");
            e.Property(x => x.LastSeenAt).HasColumnName("last_seen_at");
            e.Property(x => x.ChangedAt).HasColumnName("changed_at");
            e.Property(x => x.Versions).HasColumnName("versions").HasMaxLength(FailureRules.MaxVersions);
            e.Property(x => x.Version).HasColumnName("version").IsConcurrencyToken();
            e.Ignore(x => x.Samples);
            e.HasIndex(x => new { x.LastSeenAt, x.Id }, "ix_failure_groups_seen");
            e.HasIndex(x => new { x.Owner, x.LastSeenAt, x.Id }, "ix_failure_groups_owner");
        });
        model.Entity<FailureSample>(e =>
        {
            e.ToTable("failure_samples").HasKey(x => x.Id);
            e.Property(x => x.Id).HasColumnName("id").ValueGeneratedOnAdd();
            e.Property(x => x.GroupId).HasColumnName("group_id");
            e.Property(x => x.TaskId).HasColumnName("task_id");
            e.Property(x => x.Attempt).HasColumnName("attempt");
            e.Property(x => x.At).HasColumnName("at");
            e.Property(x => x.Worker).HasColumnName("worker");
            e.Property(x => x.Error).HasColumnName("error");
            e.Property(x => x.Stack).HasColumnName("stack");
            e.HasIndex(x => new { x.GroupId, x.Id }, "ix_failure_samples_group");
        });
    }
}
