using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace TaskQueue.Client;

/// <summary>Adds the table of the outbox to a model.</summary>
public static class OutboxModel
{
    /// <summary>Name of the table, unless it is configured.</summary>
    public const string DefaultTable = "taskqueue_outbox";

    internal const int MaxError = 2000, MaxQueue = 128, MaxOwner = 100;

    /// <summary>Providers return times without a kind.</summary>
    private static readonly ValueConverter<DateTime, DateTime> Utc = new(at => at, at => DateTime.SpecifyKind(at, DateTimeKind.Utc));

    /// <summary>
    /// Maps <see cref="OutboxTask"/> to a table. Call it in <see cref="DbContext.OnModelCreating(ModelBuilder)"/>, then add a migration.
    /// </summary>
    /// <param name="modelBuilder">The model.</param>
    /// <param name="table">Name of the table.</param>
    /// <param name="schema">Its schema; null: the default schema of the model.</param>
    public static ModelBuilder AddTaskQueueOutbox(this ModelBuilder modelBuilder, string table = DefaultTable, string? schema = null)
    {
        ArgumentNullException.ThrowIfNull(modelBuilder);
        ArgumentException.ThrowIfNullOrEmpty(table);
        var row = modelBuilder.Entity<OutboxTask>();
        if (schema is null)
            row.ToTable(table);
        else
            row.ToTable(table, schema);
        row.HasKey(r => r.Sequence);
        row.Property(r => r.Sequence).HasColumnName("sequence").ValueGeneratedOnAdd();
        row.Property(r => r.TaskId).HasColumnName("task_id").ValueGeneratedNever();
        row.Property(r => r.Queue).HasColumnName("queue").HasMaxLength(MaxQueue).IsRequired();
        row.Property(r => r.Submission).HasColumnName("submission").IsRequired();
        row.Property(r => r.Size).HasColumnName("size");
        row.Property(r => r.CreatedAt).HasColumnName("created_at").HasConversion(Utc);
        row.Property(r => r.Attempts).HasColumnName("attempts");
        row.Property(r => r.Error).HasColumnName("error").HasMaxLength(MaxError);
        row.Property(r => r.SetAsideAt).HasColumnName("set_aside_at").HasConversion(Utc);
        row.Property(r => r.LockedUntil).HasColumnName("locked_until").HasConversion(Utc);
        row.Property(r => r.LockedBy).HasColumnName("locked_by").HasMaxLength(MaxOwner);
        // Conventions of the application for all its texts, such as a length or a code page, would corrupt these.
        foreach (var text in new[] { row.Property(r => r.Submission).Metadata, row.Property(r => r.Error).Metadata })
        {
            text.SetIsUnicode(null);
            text.SetColumnType(null);
        }

        row.Property(r => r.Submission).Metadata.SetMaxLength(null);
        // The search for rows to send skips those set aside, however many they are.
        row.HasIndex(r => new { r.SetAsideAt, r.Sequence });
        return modelBuilder;
    }
}
