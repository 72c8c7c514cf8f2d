using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace TaskQueue.Engine.Draining;

/// <summary>
/// The end of this process, in steps: it is announced, nothing new is begun, what runs may end, the rest is given back or broken off.
/// </summary>
public sealed class Drain : IDisposable
{
    /// <summary>To answer those who wait, before their connections are cut.</summary>
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long a request may wait for something once the end has begun: long enough that who asks again at once does no harm.
    /// </summary>
    private static readonly TimeSpan ShortWait = TimeSpan.FromMilliseconds(250);

    private readonly CancellationTokenSource _announced;
    private readonly CancellationTokenSource _over;
    private readonly CancellationTokenSource _cut;
    private readonly CancellationTokenRegistration _begun;
    private readonly CancellationTokenRegistration _cutting;

    /// <summary>Waits for the host to be told to stop.</summary>
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

    /// <summary>Cancelled when the process is told to stop: it is not ready any more and begins no work.</summary>
    public CancellationToken Begun { get; }

    /// <summary>Cancelled when the end is announced long enough: nobody can connect any more.</summary>
    public CancellationToken Announced => _announced.Token;

    /// <summary>Cancelled when what still runs is to be given back, and who still waits is to be answered.</summary>
    public CancellationToken Over => _over.Token;

    /// <summary>Cancelled a moment later: connections on which something still goes on are cut.</summary>
    public CancellationToken Cut => _cut.Token;

    /// <summary>Whether the process was told to stop.</summary>
    public bool HasBegun => Begun.IsCancellationRequested;

    /// <summary>How long a request may wait that wants to wait so long.</summary>
    public TimeSpan Shorten(TimeSpan wait) => HasBegun && wait > ShortWait ? ShortWait : wait;

    /// <summary>
    /// Ends a wait when its caller has left, or when the process is told to stop; one that begins after that is short anyway.
    /// </summary>
    /// <param name="cancellationToken">The caller has left.</param>
    public CancellationTokenSource EndWait(CancellationToken cancellationToken) =>
        CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, HasBegun ? default : Begun);

    /// <summary>Somebody loses patience: all of it is over now.</summary>
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
