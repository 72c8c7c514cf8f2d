using Microsoft.Extensions.Options;

namespace TaskQueue.Http.Auth;

/// <summary>Section <c>TaskQueue:Redaction</c>: what is not shown to those who look at tasks, schedules, queues and batches.</summary>
internal sealed class RedactionOptions
{
    /// <summary>
    /// Names of JSON members, at any depth, in any case; <c>*</c> is whole payloads, results, progress, errors and descriptions.
    /// </summary>
    public IList<string> Members { get; } = [];
}

/// <summary>Hides parts of what is shown from every caller but administrators. Workers get what they take as it is.</summary>
internal sealed class Redaction : IDisposable
{
    private readonly IDisposable? _watch;
    private volatile Redactor _redactor;

    public Redaction(IOptionsMonitor<RedactionOptions> options)
    {
        _watch = options.OnChange((changed, _) => _redactor = new Redactor(changed.Members));
        _redactor = new Redactor(options.CurrentValue.Members);
    }

    /// <summary>What hides values from a caller. Who does not have to say who they are is no administrator.</summary>
    public Redactor For(Caller caller) => caller.Name is not null && caller.IsOperator ? Redactor.None : _redactor;

    public void Dispose() => _watch?.Dispose();
}
