using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

/// <summary>The database model on PostgreSQL.</summary>
public sealed class PostgresTaskDbContext(DbContextOptions<PostgresTaskDbContext> options) : TaskDbContext(options)
{
    /// <inheritdoc />
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        base.OnModelCreating(modelBuilder);
        modelBuilder.Entity<QueueRecord>().Property(q => q.Id).HasIdentityOptions(startValue: 2); // 1 is seeded
    }

    /// <inheritdoc />
    protected override void MapEventKey(EntityTypeBuilder<TaskEvent> e)
    {
        e.HasKey(x => new { x.Stream, x.Id });
        e.Property(x => x.Id).ValueGeneratedOnAdd();
    }
}
