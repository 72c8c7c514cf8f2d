using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace TaskQueue.Engine.Auth;

/// <summary>Options that keep their last valid values: an invalid change is logged and ignored.</summary>
public sealed partial class ValidatedOptionsMonitor<T> : IOptionsMonitor<T>, IDisposable
    where T : class
{
    private readonly IOptionsFactory<T> _factory;
    private readonly ILogger _logger;
    private readonly List<IDisposable> _watches;
    private volatile T _current;
    private Action<T, string?>? _changed;

    /// <summary>Reads the options now and whenever a source changes.</summary>
    /// <exception cref="OptionsValidationException">The initial values are invalid.</exception>
    public ValidatedOptionsMonitor(IOptionsFactory<T> factory, IEnumerable<IOptionsChangeTokenSource<T>> sources, ILogger<T> logger)
    {
        (_factory, _logger) = (factory, logger);
        _current = factory.Create(Options.DefaultName);
        _watches = [.. sources.Select(source => ChangeToken.OnChange(source.GetChangeToken, Reload))];
    }

    /// <inheritdoc />
    public T CurrentValue => _current;

    /// <inheritdoc />
    public T Get(string? name) => _current;

    /// <inheritdoc />
    public IDisposable? OnChange(Action<T, string?> listener)
    {
        _changed += listener;
        return new Listener(() => _changed -= listener);
    }

    /// <inheritdoc />
    public void Dispose() => _watches.ForEach(watch => watch.Dispose());

    private void Reload()
    {
        try
        {
            _current = _factory.Create(Options.DefaultName);
        }
        catch (Exception fault) when (fault is OptionsValidationException or InvalidOperationException)
        {
            LogRefused(_logger, typeof(T).Name, fault.Message);
            return;
        }

        _changed?.Invoke(_current, Options.DefaultName);
    }

    [LoggerMessage(LogLevel.Error, "The change of {Options} is rejected; the previous values stay in effect: {Problem}")]
    private static partial void LogRefused(ILogger logger, string options, string problem);

    private sealed class Listener(Action leave) : IDisposable
    {
        public void Dispose() => leave();
    }
}
