using MassTransit;
using MassTransit.Context;
using MassTransit.Saga;
using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.Encryption;

namespace TaskQueue.Storage.Batches;

/// <summary>
/// The saga repository of the batch state machine: one transaction for each command, written after the state machine has decided. Batches
/// are rare, so commands for one seldom conflict; the later command is then decided again.
/// </summary>
internal sealed class BatchRepository(IDbContextFactory<TaskDbContext> databases, IBatchRenderer renderer)
    : ISagaRepositoryContextFactory<BatchState>
{
    private const int MaxTries = 20;

    public void Probe(ProbeContext context) => context.CreateScope("batches");

    public async Task Send<T>(ConsumeContext<T> context, IPipe<SagaRepositoryContext<BatchState, T>> next)
        where T : class
    {
        var command = (BatchCommand)(object)context.Message;
        for (var tries = 1; ; tries++)
        {
            command.Result = CommandResult.NotFound; // the result of a rolled-back try
            await using var db = await databases.CreateDbContextAsync();
            var saga = new BatchSagaContext<T>(context, db);
            await next.Send(saga);
            if (command.Result != CommandResult.Applied)
                return;
            try
            {
                await SaveAsync(db, saga.Batch!);
                return;
            }
            catch (DbUpdateConcurrencyException) when (tries < MaxTries)
            {
                // Changed concurrently, or more of its items became tasks: decide again.
            }
            catch (DbUpdateException) when (saga.Batch!.RequestKey is { } key && command is CreateBatch
                && db.Batches.AsNoTracking().Any(b => b.RequestKey == key))
            {
                command.Result = CommandResult.Duplicate; // the same request came twice at the same time
                return;
            }
        }
    }

    public Task SendQuery<T>(ConsumeContext<T> context, ISagaQuery<BatchState> query, IPipe<SagaRepositoryQueryContext<BatchState, T>> next)
        where T : class =>
        throw new NotSupportedException("Events are correlated by batch id only.");

    private async Task SaveAsync(TaskDbContext db, BatchState batch)
    {
        batch.Version++;
        if (BatchCallback.DueOf(batch, renderer) is { } callback)
            db.Callbacks.Add(callback);
        await db.SaveChangesAsync();
    }
}

/// <summary>The saga context of a command: nothing is written until the repository writes it.</summary>
internal sealed class BatchSagaContext<T>(ConsumeContext<T> context, TaskDbContext db)
    : ConsumeContextScope<T>(context), SagaRepositoryContext<BatchState, T>
    where T : class
{
    private readonly ConsumeContext<T> _context = context;

    /// <summary>The row that the state machine changed.</summary>
    public BatchState? Batch { get; private set; }

    public async Task<SagaConsumeContext<BatchState, T>> Load(Guid correlationId)
    {
        Batch = db.Open(await db.Batches.SingleOrDefaultAsync(b => b.CorrelationId == correlationId));
        return Batch is null ? null! : await WorkAsync(Batch);
    }

    public Task<SagaConsumeContext<BatchState, T>> Add(BatchState instance)
    {
        Batch = db.Batches.Add(instance).Entity;
        return WorkAsync(instance);
    }

    public Task<SagaConsumeContext<BatchState, T>> Insert(BatchState instance) => Task.FromResult<SagaConsumeContext<BatchState, T>>(null!);

    public Task Save(SagaConsumeContext<BatchState> context) => Task.CompletedTask;

    public Task Update(SagaConsumeContext<BatchState> context) => Task.CompletedTask;

    public Task Delete(SagaConsumeContext<BatchState> context) => throw new NotSupportedException("Batches are not deleted.");

    public Task Discard(SagaConsumeContext<BatchState> context) => Task.CompletedTask;

    public Task Undo(SagaConsumeContext<BatchState> context) => Task.CompletedTask;

    public Task<SagaConsumeContext<BatchState, TMessage>> CreateSagaConsumeContext<TMessage>(
        ConsumeContext<TMessage> consumeContext, BatchState instance, SagaConsumeContextMode mode)
        where TMessage : class =>
        Task.FromResult<SagaConsumeContext<BatchState,
        TMessage>>(new DefaultSagaConsumeContext<BatchState, TMessage>(consumeContext, instance));

    private Task<SagaConsumeContext<BatchState, T>> WorkAsync(BatchState instance) =>
        CreateSagaConsumeContext(_context, instance, SagaConsumeContextMode.Load);
}
