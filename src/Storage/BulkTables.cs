using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Bulk;

namespace TaskQueue.Storage;

/// <summary>Maps the tables of operations on many tasks.</summary>
internal static class BulkTables
{
    public static void Map(ModelBuilder model)
    {
        model.Entity<BulkOperation>(e =>
        {
            e.ToTable("operations").HasKey(x => x.Id);
            e.Property(x => x.Id).HasColumnName("id").ValueGeneratedNever();
            e.Property(x => x.Owner).HasColumnName("owner").HasMaxLength(128);
            e.Property(x => x.Queue).HasColumnName("queue").HasMaxLength(128);
            e.Property(x => x.CreatedBy).HasColumnName("created_by").HasMaxLength(128);
            e.Property(x => x.Credential).HasColumnName("credential").HasMaxLength(300);
            e.Property(x => x.Access).HasColumnName("access");
            e.Property(x => x.Action).HasColumnName("action");
            e.Property(x => x.Selection).HasColumnName("selection");
            e.Property(x => x.TargetQueue).HasColumnName("target_queue").HasMaxLength(128);
            e.Property(x => x.Patch).HasColumnName("patch");
            e.Property(x => x.Rate).HasColumnName("rate_per_second");
            e.Property(x => x.State).HasColumnName("state");
            e.Property(x => x.Total).HasColumnName("total");
            e.Property(x => x.TotalIsExact).HasColumnName("total_is_exact");
            e.Property(x => x.Done).HasColumnName("tasks_done");
            e.Property(x => x.Skipped).HasColumnName("tasks_skipped");
            e.Property(x => x.Failed).HasColumnName("tasks_failed");
            e.Property(x => x.Undone).HasColumnName("tasks_undone");
            e.Property(x => x.Error).HasColumnName("last_error");
            e.Property(x => x.Before).HasColumnName("next_before");
            e.Property(x => x.Position).HasColumnName("next_position");
            e.Property(x => x.IsSelected).HasColumnName("is_selected");
            e.Property(x => x.IsInStep).HasColumnName("is_in_step");
            e.Property(x => x.IsUndo).HasColumnName("is_undo");
            e.Property(x => x.Kept).HasColumnName("kept");
            e.Property(x => x.KeptChars).HasColumnName("kept_chars");
            e.Property(x => x.IsBeyondUndo).HasColumnName("is_beyond_undo");
            e.Property(x => x.Faults).HasColumnName("faults");
            e.Property(x => x.CreatedAt).HasColumnName("created_at");
            e.Property(x => x.StartedAt).HasColumnName("started_at");
            e.Property(x => x.FinishedAt).HasColumnName("finished_at");
            e.Property(x => x.DueAt).HasColumnName("due_at");
            e.Property(x => x.WorkedUntil).HasColumnName("worked_until");
            e.Ignore(x => x.HasEnded).Ignore(x => x.CanUndo);
            e.HasIndex(x => new { x.Owner, x.Id }, "ix_operations_owner");
            e.HasIndex(x => x.FinishedAt, "ix_operations_finished"); // null: those that have not ended
        });
        model.Entity<BulkOperationTask>(e =>
        {
            e.ToTable("operation_tasks").HasKey(x => new { x.OperationId, x.TaskId });
            e.Property(x => x.OperationId).HasColumnName("operation_id");
            e.Property(x => x.TaskId).HasColumnName("task_id");
            e.Property(x => x.FormerState).HasColumnName("former_state");
            e.Property(x => x.FormerQueue).HasColumnName("former_queue").HasMaxLength(128);
            e.Property(x => x.FormerFinishedAt).HasColumnName("former_finished_at");
            e.Property(x => x.FormerPayload).HasColumnName("former_payload");
            e.Property(x => x.IsDone).HasColumnName("is_done");
        });
    }
}
