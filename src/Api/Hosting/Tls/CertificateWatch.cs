using TaskQueue.Engine;

namespace TaskQueue.Api.Hosting;

/// <summary>Polls the certificate files every four seconds, like the keys file.</summary>
internal sealed partial class CertificateWatch(ServerCertificates certificates, TimeProvider time, ILogger<CertificateWatch> logger)
    : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(4);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var files = certificates.All.ToList();
        if (files.Count == 0)
            return;
        using var timer = new PeriodicTimer(Period, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            foreach (var file in files)
                Refresh(file);
        }
    }

    private void Refresh(CertificateFile file)
    {
        try
        {
            if (file.Refresh())
                LogReplaced(logger, file.Path, file.Current.TargetCertificate.Subject,
                    file.Current.TargetCertificate.NotAfter.ToUniversalTime());
        }
        catch (StartupException fault)
        {
            LogRefused(logger, fault.Message);
        }
    }

    [LoggerMessage(LogLevel.Information, "Reloaded the certificate in {Path} for new connections: {Subject}, valid until {NotAfter:O}")]
    private static partial void LogReplaced(ILogger logger, string path, string subject, DateTime notAfter);

    [LoggerMessage(LogLevel.Warning, "The previous certificate stays in use. {Problem}")]
    private static partial void LogRefused(ILogger logger, string problem);
}
