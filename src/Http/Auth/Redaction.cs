using Microsoft.Extensions.Options;

namespace TaskQueue.Http.Auth;

/// <summary>Section <c>TaskQueue:Redaction</c>: values hidden from readers of tasks, schedules, queues and batches.</summary>
internal sealed class RedactionOptions
{
    /// <summary>
    /// Names of JSON members, at any depth, case-insensitive; <c>*</c> hides whole payloads, results, progress, errors and descriptions.
    /// </summary>
    public IList<string> Members { get; } = [];
}

/// <summary>Hides configured values from all callers but administrators. Workers receive their tasks unredacted.</summary>
internal sealed class Redaction : IDisposable
{
    private readonly IDisposable? _watch;
    private volatile Redactor _redactor;

    public Redaction(IOptionsMonitor<RedactionOptions> options)
    {
        _watch = options.OnChange((changed, _) => _redactor = new Redactor(changed.Members));
        _redactor = new Redactor(options.CurrentValue.Members);
    }

    /// <summary>The redactor for a caller. An anonymous caller is not an administrator.</summary>
    public Redactor For(Caller caller) =>
        caller.HidesPayloads ? Redactor.All : caller.Name is not null && caller.IsOperator ? Redactor.None : _redactor;

    public void Dispose() => _watch?.Dispose();
}
