using System.Security.Authentication;
using MassTransit;
using RabbitMQ.Client;

namespace TaskQueue.Bus.Connection;

/// <summary>Connections to RabbitMQ, MassTransit's and our own, with the same TLS settings.</summary>
internal static class BrokerConnections
{
    private const SslProtocols Protocols = SslProtocols.Tls12 | SslProtocols.Tls13;

    /// <summary>Creates a connection factory. With TLS it validates the broker's certificate.</summary>
    public static ConnectionFactory NewFactory(this BusAddress address)
    {
        var (uri, tls) = (address.RabbitMq!, address.Tls);
        var factory = new ConnectionFactory { Uri = uri };
        if (!factory.Ssl.Enabled)
            return factory;
        factory.Ssl = new SslOption(tls.ServerName ?? uri.Host, enabled: true)
        {
            Version = Protocols,
            CertificateValidationCallback = tls.Accepts,
            CertificateSelectionCallback = (_, _, _, _, _) => tls.ReadCertificate()!,
        };
        if (tls.IsLogin(uri))
            factory.AuthMechanisms = [new ExternalMechanismFactory()];
        return factory;
    }

    /// <summary>MassTransit's default accepts certificates of any authority, so each is validated here.</summary>
    public static void Host(this IRabbitMqBusFactoryConfigurator bus, BusAddress address) =>
        bus.Host(address.RabbitMq!, host =>
        {
            if (address.RabbitMq!.Scheme != "amqps")
                return;
            host.UseSsl(ssl =>
            {
                ssl.Protocol = Protocols;
                ssl.ServerName = address.Tls.ServerName ?? address.RabbitMq.Host;
                ssl.CertificateValidationCallback = address.Tls.Accepts;
                ssl.CertificateSelectionCallback = (_, _, _, _, _) => address.Tls.ReadCertificate()!;
                ssl.UseCertificateAsAuthenticationIdentity = address.Tls.IsLogin(address.RabbitMq);
            });
        });
}
