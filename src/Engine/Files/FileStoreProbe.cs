using TaskQueue.Engine.Health;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Files;

/// <summary>While the storage of file contents fails, tries whether it works again, so that its outage ends without a caller.</summary>
internal sealed class FileStoreProbe(IFileContents contents, DependencyHealth dependencies) : IDependencyProbe
{
    private readonly CheckedFileContents _contents = new(contents, dependencies.Files);

    public async Task ProbeAsync(TimeSpan timeout)
    {
        if (!dependencies.Files.IsOn)
            return;
        using var patience = new CancellationTokenSource(timeout);
        try
        {
            await _contents.ProbeAsync(patience.Token).WaitAsync(patience.Token); // a storage may ignore the token
        }
#pragma warning disable CA1031 // reported; the next probe tries again
        catch (Exception)
#pragma warning restore CA1031
        {
        }
    }
}
