using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace TaskQueue.Engine.Draining;

/// <summary>
/// Graceful shutdown in steps: it is announced, no new work begins, running work may finish, the rest is released or aborted.
/// </summary>
public sealed class Drain : IDisposable
{
    /// <summary>Time to answer waiting requests before their connections are cut.</summary>
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(1);

    /// <summary>Longest wait of a request once the shutdown has begun: long enough that clients which retry at once do no harm.</summary>
    private static readonly TimeSpan ShortWait = TimeSpan.FromMilliseconds(250);

    private readonly CancellationTokenSource _announced;
    private readonly CancellationTokenSource _over;
    private readonly CancellationTokenSource _cut;
    private readonly CancellationTokenRegistration _begun;
    private readonly CancellationTokenRegistration _cutting;

    /// <summary>Subscribes to the host's shutdown.</summary>
    public Drain(IHostApplicationLifetime lifetime, IOptions<DrainOptions> options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(lifetime);
        ArgumentNullException.ThrowIfNull(options);
        Begun = lifetime.ApplicationStopping;
        _announced = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _over = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _cut = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _cutting = _over.Token.UnsafeRegister(_ => _cut.CancelAfter(LastWords), null);
        _begun = Begun.UnsafeRegister(_ =>
        {
            _announced.CancelAfter(options.Value.Announce);
            _over.CancelAfter(options.Value.Announce + options.Value.Grace);
        }, null);
    }

    /// <summary>Cancelled when the shutdown begins: the process is no longer ready and begins no work.</summary>
    public CancellationToken Begun { get; }

    /// <summary>Cancelled when the announcement is over: the listener no longer accepts connections.</summary>
    public CancellationToken Announced => _announced.Token;

    /// <summary>Cancelled when running work must be released and waiting requests must be answered.</summary>
    public CancellationToken Over => _over.Token;

    /// <summary>Cancelled shortly afterwards: connections still in use are cut.</summary>
    public CancellationToken Cut => _cut.Token;

    /// <summary>Whether the shutdown has begun.</summary>
    public bool HasBegun => Begun.IsCancellationRequested;

    /// <summary>Shortens the wait of a request once the shutdown has begun.</summary>
    public TimeSpan Shorten(TimeSpan wait) => HasBegun && wait > ShortWait ? ShortWait : wait;

    /// <summary>Ends a wait when its request is aborted or the shutdown begins; waits that begin later are short anyway.</summary>
    /// <param name="cancellationToken">Cancelled when the request is aborted.</param>
    public CancellationTokenSource EndWait(CancellationToken cancellationToken) =>
        CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, HasBegun ? default : Begun);

    /// <summary>Skips to the end of the shutdown at once.</summary>
    public void Hurry()
    {
        _announced.Cancel();
        _over.Cancel();
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _begun.Dispose();
        _cutting.Dispose();
        _announced.Dispose();
        _over.Dispose();
        _cut.Dispose();
    }
}
