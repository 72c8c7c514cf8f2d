using MassTransit;
using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Consumers.Tasks;

/// <summary>Accepts tasks of bus producers. What breaks no rule is accepted; for the rest the message goes to the error queue with the reasons.</summary>
internal sealed class SubmitConsumer(TaskVerbs verbs) : IConsumer<SubmitTasks>
{
    public async Task Consume(ConsumeContext<SubmitTasks> context)
    {
        var checks = context.Message.Tasks.Select(t => (Task: t, Problem: verbs.ProblemOf(t))).ToList();
        var valid = checks.Where(c => c.Problem is null).Select(c => c.Task).ToList();
        if (valid.Count > 0)
            await verbs.SubmitManyAsync(valid);
        if (valid.Count < checks.Count)
            throw new InvalidSubmissionException(string.Join("; ", checks.Where(c => c.Problem is not null).Select(c => $"task {c.Task.Id}: {c.Problem}")));
    }
}
