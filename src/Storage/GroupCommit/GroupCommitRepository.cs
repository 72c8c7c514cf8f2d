using MassTransit;
using MassTransit.Saga;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.GroupCommit;

/// <summary>
/// The saga repository of the task state machine. It wraps the saga pipe, so a command returns to its sender (and a bus message is
/// acknowledged) after the commit of its group.
/// </summary>
internal sealed class GroupCommitRepository(GroupCommitter committer) : ISagaRepositoryContextFactory<TaskState>
{
    public void Probe(ProbeContext context) => context.CreateScope("groupCommit");

    public Task Send<T>(ConsumeContext<T> context, IPipe<SagaRepositoryContext<TaskState, T>> next)
        where T : class =>
        committer.CommitAsync(new GroupEntry<T>(context, next) { InsertsBlindly = context.Message is SubmitTask });

    public Task SendQuery<T>(ConsumeContext<T> context, ISagaQuery<TaskState> query, IPipe<SagaRepositoryQueryContext<TaskState, T>> next)
        where T : class =>
        throw new NotSupportedException("Events are correlated by task id only.");
}
